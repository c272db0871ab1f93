"""A real `kb serve` on loopback and a real Chromium. Where there is no browser every test here is skipped, counted, with the reason."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner
from playwright.sync_api import sync_playwright

from indexer import segment
from kb.cli import cli

ROOT = Path(__file__).parents[2]
SIZES = {"desktop": (1280, 900), "phone": (360, 640)}
WINDOW = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "SpareRendererForSitePerProcess")
"""What Chromium makes ready beside the page: pages of its own for an address bar that nobody sees, which cost more than the page that is tested."""
AS_PLAYWRIGHT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
)
"""What Playwright turns off by itself: Chromium heeds only the last list of features that it is given."""


def chromium_path():
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    return None


class Site:
    """A running product with an articles folder of its own; `known` is what an earlier build of these articles worked out."""

    def __init__(self, folder, known):
        self.articles = folder / "articles"
        shutil.copytree(ROOT / "articles", self.articles)
        shutil.copytree(known, folder / "var" / "index" / "cache")
        (folder / "var").chmod(0o700)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("KB_")} | {
            "KB_DATA": str(folder / "var"),
            "KB_ARTICLES": str(self.articles),
            "KB_PORT": str(self.port),
        }
        self.start()

    def start(self):
        """Start the server, or start it again after its end; returns when it is ready."""
        with self.log.open("w") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "kb.cli", "serve"], env=self.environment, cwd=ROOT, stdout=log, stderr=log)
        self._wait()

    def _wait(self):
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:  # noqa: S310 - our own address
                    if answer.status == 200:
                        return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def kb(self, *arguments):
        """Run the command line on this site's data, in this process, and return its JSON. Raises AssertionError where it fails."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("KB_")]:
                patch.delenv(name)
            patch.setattr(segment, "use_cache", lambda _: None)  # this process has jieba's dictionary already
            done = CliRunner(env=self.environment).invoke(cli, [*arguments, "--json"])
        structlog.reset_defaults()
        assert done.exit_code == 0, done.exception
        return json.loads(done.stdout)

    def tickets(self):
        return self.kb("tickets", "list")["tickets"]

    def sign_in_link(self):
        """Return a link for the agent 王敏."""
        return self.staff_link("王敏", "agent")

    def staff_link(self, name, role):
        """Return a link for somebody with rights, making the account at the first call."""
        try:
            return self.kb("user", "add", name, "--role", role)["url"]
        except AssertionError:
            return self.kb("user", "link", name)["url"]

    def kill(self):
        """End the server without a word to it; returns when nobody answers any more."""
        self.process.kill()
        self.process.wait(20)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="session")
def site(tmp_path_factory, shipped):
    if chromium_path() is None:
        pytest.skip("no Chromium or Chrome on this machine: browser stories need one (apt-get install chromium)")
    running = Site(tmp_path_factory.mktemp("site"), shipped.folder.parents[1] / "cache")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def chromium(site):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(),
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", f"--disable-features={','.join((*AS_PLAYWRIGHT, *WINDOW))}"],
        )
        yield browser
        browser.close()


class Person:
    """Somebody with a browser of their own. Notes what the page complains about and where its requests go."""

    def __init__(self, chromium, size, **options):
        width, height = SIZES[size]
        self.context = chromium.new_context(viewport={"width": width, "height": height}, locale="zh-CN", **options)
        self.context.set_default_timeout(10_000)
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: message.type in {"error", "warning"} and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108 - playwright marks its handlers

    def posts(self):
        return [request for request in self.requests if request.method == "POST"]


@pytest.fixture
def people(chromium, site):
    """Return a maker of persons; at the end nobody's console complained and no request left the machine."""
    made = []

    def person(size="desktop", **options):
        made.append(Person(chromium, size, **options))
        return made[-1]

    yield person
    complaints = [complaint for one in made for complaint in one.complaints]
    foreign = [request.url for one in made for request in one.requests if not re.match(rf"(data:|blob:|{re.escape(site.url)}/)", request.url)]
    for one in made:
        one.context.close()
    assert complaints == []
    assert foreign == []
