"""`python -m bench.widget`: what the widget costs a page before anybody uses it, beside three peers, and how soon results are painted after a key.

`kb serve` with two workers over the shipped articles, headless Chromium, and an application's pages on an origin of its own. The peers come from npm at the
run; they are started as their documents say and never asked anything, because that would need their servers.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import tarfile
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
import jwt
from playwright.sync_api import Error, sync_playwright

from bench.corpus import spread
from bench.figures import machine, percentile, spread_of, table
from bench.http import questions
from bench.server import BenchError, run, served, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from playwright.sync_api import Browser, CDPSession, Page

    Peers = Callable[[Path], Mapping["Contestant", tuple[str, str]]]

ROOT = Path(__file__).parents[1]
ARTICLES = ROOT / "articles"
OURS, EMPTY = "zhida", "empty page"
LONGEST_PAUSE = 400
"""Ms after a letter in which it is searched or is no reason to search."""
PAGE = "<h1>报销单 2026-1122</h1><p>金额 1,280.00 元。</p><input id=search><div id=docsearch></div>"
"""What every page holds beside the contestant's script; the peers fill the input or the element."""
STUB = "window.kb = window.kb || function () { (kb.q = kb.q || []).push(arguments); };"
WATCH = """
window.keys = []; window.painted = [];
const later = window.setTimeout;
let typed = 0, waited = 0;
window.setTimeout = (action, after, ...more) => later((...given) => { waited = after || 0; action(...given); }, after, ...more);
window.addEventListener("input", (event) => { typed = event.timeStamp; waited = 0; }, true);
const asked = window.fetch;
window.fetch = (url, ...more) => { if (String(url).includes("/search?")) keys.push({ at: typed, waited }); return asked(url, ...more); };
kb("on", "search", () => requestAnimationFrame(() => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => painted.push(performance.now());
  port2.postMessage(0);
}));
"""
"""Notes for each search when the last key was pressed and how long the widget waited on purpose, and for its results when their frame had been made."""


@dataclass(frozen=True, slots=True, eq=False)
class Contestant:
    """One peer. `packages`: which files a page loads of which packages on npm; `start`: what its document says that a page runs."""

    name: str
    packages: Mapping[str, Sequence[str]]
    start: str


PEERS = (
    Contestant(
        "docs-searchbar 2.5.0",
        {"docs-searchbar.js@2.5.0": ("dist/cdn/docs-searchbar.min.js", "dist/cdn/docs-searchbar.min.css")},
        'docsSearchBar({ hostUrl: location.origin, apiKey: "x", indexUid: "docs", inputSelector: "#search" });',
    ),
    Contestant(
        "typesense-docsearch 3.4.1",
        {"typesense-docsearch.js@3.4.1": ("dist/umd/index.js",), "typesense-docsearch-css@0.4.1": ("dist/style.css",)},
        """docsearch({ container: "#docsearch", typesenseCollectionName: "docs",
        typesenseServerConfig: { nodes: [{ host: location.hostname, port: 1, protocol: "http" }], apiKey: "x" }, typesenseSearchParameters: {} });""",
    ),
    Contestant(
        "@docsearch/js 5.2.0, keywords only",
        {"@docsearch/js@5.2.0": ("dist/umd/docsearch.js",), "@docsearch/css@5.2.0": ("dist/style.css",)},
        'docsearch({ container: "#docsearch", appId: "X", indices: ["docs"], apiKey: "x" });',
    ),
    Contestant(
        "@docsearch/js 5.2.0",
        {"@docsearch/js@5.2.0": ("dist/umd/index.js",), "@docsearch/css@5.2.0": ("dist/style.css",)},
        'docsearch({ container: "#docsearch", appId: "X", indices: ["docs"], apiKey: "x" });',
    ),
)


@dataclass(frozen=True, slots=True)
class Load:
    """Ms of one load's main thread. `script`: running the contestant's scripts, by the clock; `worked`: the same of a processor; `page`: all of the page's."""

    script: float
    worked: float
    page: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What a page bears of a contestant before it is used. `script` and `style`: bytes (gzip -9); `requests` beside its own files; `nodes` in the page.

    `ran` and `worked`: ms that its scripts keep the main thread, by the clock and of a processor; `more`: of a processor, what the page's whole load takes more
    than the empty page's, with parsing, layout and painting.
    """

    script: int
    style: int
    requests: int
    nodes: int
    ran: Quarters
    worked: Quarters
    more: Quarters


@dataclass(frozen=True, slots=True)
class Quarters:
    """The median of a series and what its middle half lies between."""

    low: float
    median: float
    high: float

    def words(self) -> str:
        """Return it as a table shows it."""
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def quarters(values: Sequence[float]) -> Quarters:
    """Return the quarters of at least one value."""
    ordered = sorted(values)
    return Quarters(*(percentile(ordered, share) for share in (0.25, 0.5, 0.75)))


class Pages:
    """An application on an origin of its own: path → text. Nothing is kept by the browser, so that every load is a first one."""

    def __init__(self) -> None:
        """Begin to serve, on a port of loopback that is free."""
        texts = self.texts = {"/favicon.ico": ""}

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                text = texts.get(self.path)
                body = (text or "").encode()
                kinds = {".js": "text/javascript", ".css": "text/css"}
                self.send_response(404 if text is None else 200)
                self.send_header("Content-Type", f"{kinds.get(Path(self.path).suffix, 'text/html')}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def put(self, path: str, scripts: Sequence[str], style: str = "") -> None:
        """Serve the page of all contestants with these deferred scripts; an address starts with http, all else is a script's text."""
        tags = f'<link rel="stylesheet" href="{path}.css">' if style else ""
        self.texts[f"{path}.css"] = style
        for at, script in enumerate(scripts):
            if script.startswith("<"):
                tags += script
                continue
            self.texts[f"{path}.{at}.js"] = script
            tags += f'<script src="{path}.{at}.js" defer></script>'
        self.texts[path] = f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>x</title>{tags}<body><main>{PAGE}</main></body></html>'

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


def from_npm(folder: Path) -> dict[Contestant, tuple[str, str]]:
    """Return script and style of each peer that npm gives us; its archives are left in the folder."""
    if shutil.which("npm") is None:
        return {}
    found = {}
    for peer in PEERS:
        texts = {".js": "", ".css": ""}
        for package, names in peer.packages.items():
            done = subprocess.run(["npm", "pack", "--silent", package], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
            if done.returncode:
                break
            with tarfile.open(folder / done.stdout.split()[-1]) as packed:
                for name in names:
                    held = packed.extractfile(f"package/{name}")
                    if held is None:
                        raise BenchError(f"{package} holds no {name}")
                    texts[Path(name).suffix] += held.read().decode()
        else:
            found[peer] = (texts[".js"], texts[".css"])
    return found


def zipped(text: str) -> int:
    """Return the bytes that a browser loads of a text."""
    return len(gzip.compress(text.encode(), 9)) if text else 0


def loads(browser: Browser, pages: Pages, names: Mapping[str, str], rounds: int) -> dict[str, list[Load]]:
    """Load each page in turns, each in a process that has loaded it before. `names`: path by name."""
    took: dict[str, list[Load]] = {name: [] for name in names}
    opened = {name: browser.new_context().new_page() for name in names}
    sessions = {name: page.context.new_cdp_session(page) for name, page in opened.items()}
    for session in sessions.values():
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
    for number in range(rounds + 1):
        for name, page in opened.items():
            page.goto("about:blank")
            before = _busy(sessions[name])
            _settle(page, pages.origin + names[name])
            worked = _busy(sessions[name]) - before
            browser.start_tracing(page=page, categories=["devtools.timeline"])
            _settle(page, pages.origin + names[name])
            events = json.loads(browser.stop_tracing())["traceEvents"]
            ran = [one for one in events if one["name"] == "EvaluateScript" and f"{names[name]}." in one["args"]["data"].get("url", "")]
            if number:  # the first warms up
                took[name].append(Load(sum(one["dur"] for one in ran) / 1000, sum(one["tdur"] for one in ran) / 1000, worked))
    for page in opened.values():
        page.context.close()
    return took


def _settle(page: Page, url: str) -> None:
    page.goto(url, wait_until="load")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))")


def _busy(session: CDPSession) -> float:
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"]) * 1000


def seen(browser: Browser, url: str) -> tuple[int, int]:
    """Return how many requests a page makes until nothing more comes, and how many elements it holds then."""
    with browser.new_context() as context:
        page = context.new_page()
        requests: list[str] = []
        page.on("request", lambda one: requests.append(one.url))
        page.goto(url, wait_until="networkidle")
        return len(requests), int(page.evaluate("document.querySelectorAll('*').length"))


def costs(browser: Browser, pages: Pages, contestants: Mapping[str, tuple[str, str, str]], rounds: int) -> dict[str, Cost]:
    """Return what each contestant costs; `contestants`: script, style and what starts it, by name."""
    pages.put("/empty", ["", ""])
    names = {EMPTY: "/empty"}
    for at, (name, (script, style, start)) in enumerate(contestants.items()):
        names[name] = f"/{at}"
        pages.put(names[name], [script, start], style)
    least = seen(browser, f"{pages.origin}/empty")
    took = loads(browser, pages, names, rounds)
    found = {}
    for name, (script, style, _) in contestants.items():
        requests, nodes = seen(browser, pages.origin + names[name])
        more = [one.page - other.page for one, other in zip(took[name], took[EMPTY], strict=True)]
        ran, worked = [one.script for one in took[name]], [one.worked for one in took[name]]
        own = 1 if style else 0  # the link to its style
        found[name] = Cost(zipped(script), zipped(style), requests - least[0] - own, nodes - least[1] - own, quarters(ran), quarters(worked), quarters(more))
    return found


def keys(browser: Browser, pages: Pages, url: str, tag: str, start: str, asked: Sequence[str]) -> tuple[list[float], float]:
    """Type questions letter by letter, each when the results of the one before are painted.

    Return, for each letter that was searched, the ms from it to the frame with its results, less what the widget waits on purpose; and how many requests of
    the browser a search took, preflights included. Raises BenchError when nothing comes.
    """
    pages.put("/typed", [STUB + WATCH, f'<script src="{url}/widget/v1.js" defer{tag}></script>', start])
    took: list[float] = []
    with browser.new_context() as context:
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        sent: list[str] = []
        session.on("Network.requestWillBeSent", lambda one: sent.append(one["request"]["url"]))
        page.goto(f"{pages.origin}/typed", wait_until="load")
        page.evaluate("kb('open')")
        box = page.locator("zhida-help").get_by_role("dialog").locator("input").first
        for question in asked:
            box.fill("")
            for letter in question:
                took += _key(page, letter)
        asked_for = sum("/search?" in one for one in sent)
    if not took:
        raise BenchError(f"no letter of {asked} was searched")
    return took, asked_for / len(took)


def _key(page: Page, letter: str) -> list[float]:
    """Type a letter and return what its results took, nothing when it is no reason to search."""
    page.evaluate("keys.length = painted.length = 0")
    page.keyboard.insert_text(letter)
    try:
        page.wait_for_function("keys.length > 0", timeout=LONGEST_PAUSE, polling=10)
    except Error:
        return []
    page.wait_for_function("painted.length > 0", polling=10)
    [pressed], [shown] = page.evaluate("[keys, painted]")
    return [shown - pressed["at"] - pressed["waited"]]


NOT_THE_PAGE = "PaintHolding,HttpsUpgrades,WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,SpareRendererForSitePerProcess"
"""What Chromium does beside a page that is measured: waits before it paints the next one, and makes ready pages of its own for an address bar nobody sees."""


def chromium_path() -> str | None:
    """Return where this machine's Chromium is, None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start this machine's Chromium without a window. Raises BenchError where there is none."""
    path = chromium_path()
    if path is None:
        raise BenchError("no Chromium or Chrome on this machine (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--no-first-run", f"--disable-features={NOT_THE_PAGE}"]
        )
        yield browser
        browser.close()


def measure(data: Path, articles: Path, rounds: int, asked: int, peers: Peers = from_npm) -> tuple[dict[str, Cost], dict[str, tuple[list[float], float]], str]:
    """Return costs by contestant, (ms of each letter, requests for one) by who asks, and the browser's version. `data`: an empty folder."""
    pages = Pages()
    environment = settings(data, articles, KB_WORKERS="2", KB_WIDGET_ORIGINS=pages.origin)
    run(environment, "index", "build")
    try:
        with served(environment) as port, chromium() as browser:
            url = f"http://127.0.0.1:{port}"
            run(environment, "site", "add", "bench", "--origin", pages.origin)
            key = json.loads(run(environment, "site", "key", "add", "bench", "--json"))
            now = int(datetime.now(UTC).timestamp())
            said = {"iat": now, "exp": now + 900, "aud": "zhida", "iss": "bench", "sub": "e-1024"}
            token = jwt.encode(said, key["secret"], "HS256", {"kid": key["kid"]})
            callers = {
                "no site named": ("", ""),
                "a site's, not signed in": (' data-kb="bench"', ""),
                "a site's, signed": (' data-kb="bench"', f"kb('identify', {json.dumps(token)});"),
            }
            contestants = {OURS: (_script(port), "", "")} | {peer.name: (*files, peer.start) for peer, files in peers(data).items()}
            cost = costs(browser, pages, contestants, rounds)
            given = spread(questions(data / "index"), asked)
            typed = {}
            for name, (tag, start) in callers.items():
                typed[name] = keys(browser, pages, url, tag, start, given)
            return cost, typed, browser.version
    finally:
        pages.stop()


def _script(port: int) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/widget/v1.js")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@click.command()
@click.option("--loads", "rounds", type=click.IntRange(1), default=25, show_default=True, help="Loads of each page that are timed.")
@click.option("--questions", "asked", type=click.IntRange(1), default=20, show_default=True, help="Questions that are typed letter by letter.")
@click.option("--json", "to", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file too.")
def main(rounds: int, asked: int, to: Path | None) -> None:
    """Measure what the widget costs a page, beside its peers, and how soon it answers."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="bench-") as data:
        cost, typed, version = measure(Path(data), ARTICLES, rounds, asked)
    told = f"{machine('gunicorn', 'Flask')}, Chromium {version}"
    click.echo(f"{told}\n\nbefore the first use, beside the same page without it; medians (middle halves) of {rounds} loads\n")
    rows = [
        (name, f"{one.script:,}", f"{one.style:,}", str(one.requests), str(one.nodes), one.ran.words(), one.worked.words(), one.more.words())
        for name, one in cost.items()
    ]
    click.echo(table(("widget", "script B", "style B", "requests", "nodes", "scripts ms", "scripts' processor ms", "page's processor ms"), rows))
    for missing in (peer.name for peer in PEERS if peer.name not in cost):
        click.echo(f"\nleft out, npm does not give it: {missing}")
    click.echo(f"\nfrom a letter to the frame with its results, without the pause on purpose; {asked} questions\n")
    spreads = {name: spread_of(ms) for name, (ms, _) in typed.items()}
    lines = [(name, str(len(ms)), f"{spreads[name].p50:.0f}", f"{spreads[name].p95:.0f}", f"{each:.2f}") for name, (ms, each) in typed.items()]
    click.echo(table(("who asks", "letters", "p50 ms", "p95 ms", "requests each"), lines))
    click.echo(f"\n{time.monotonic() - began:.0f} s")
    if to is not None:
        figures = {
            "machine": told,
            "before": {name: asdict(one) for name, one in cost.items()},
            "keys": {
                name: {"p50_ms": spreads[name].p50, "p95_ms": spreads[name].p95, "letters": len(ms), "requests": each} for name, (ms, each) in typed.items()
            },
        }
        to.write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
