"""Markdown to safe HTML, cut into sections: the one door to Python-Markdown and nh3.

Python-Markdown takes quadratic time and deep recursion on crafted input, so `Renderer` runs it in a child process with limits of time and memory.
"""

from __future__ import annotations

import html
import json
import posixpath
import re
import resource
import secrets
import subprocess
import sys
from dataclasses import asdict, dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, unquote
from xml.etree.ElementTree import Element

import markdown
import nh3
from markdown.extensions import Extension
from markdown.extensions.toc import TocExtension
from markdown.treeprocessors import Treeprocessor

from indexer.text import folded

if TYPE_CHECKING:
    from types import TracebackType

    from indexer.cache import Cache

TIME_LIMIT = 5.0
"""Seconds that one article may take."""
MEMORY_LIMIT = 512 * 1024 * 1024

_TAGS = frozenset(
    "a abbr b blockquote br code dd del dl dt em h2 h3 h4 h5 hr i img ins kbd li ol p pre s strong sub sup table tbody td th thead tr u ul".split()  # noqa: SIM905
)
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "td": {"align"}, "th": {"align"}, "ol": {"start"}} | {
    level: {"id"} for level in ("h2", "h3", "h4", "h5")
}
_SECTION_LEVELS = {"h2": 2, "h3": 3}
_PLACEHOLDER = re.compile("\x02[^\x03]*\x03")
_UNSAFE = re.compile(r"[^\w./~-]")
"""What in a file's name means something else in an address or in HTML."""
_BLOCK_END = re.compile(r"</(?:p|li|h[2-5]|td|th|tr|pre|blockquote|dt|dd)>|<br>|<hr>")


class RenderError(Exception):
    """An article cannot be turned into HTML within the limits; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One heading and what follows it, up to the next; `html` and `text` leave the heading out. The lead piece has no heading, level 1 and anchor ""."""

    anchor: str
    heading: str
    level: int
    html: str
    text: str


def anchor_of(heading: str, separator: str = "-") -> str:
    """Return the stable anchor of a heading: its letters, digits and Han characters, joined by `separator`."""
    return separator.join(re.findall(r"\w+", folded(heading))) or "section"


def resolve_link(article: str, target: str) -> str | None:
    """Return where a link of `article` ("module/slug") leads on the site, or None when it must not be followed.

    "other.md#a" and "../module/other.md" become "/a/module/other"; pictures and files become "/media/module/name", percent-encoded where their name is more
    than words and dashes (`picture.named` tells it again); http, https, mailto and tel stay.
    """
    written, target = target, "".join(target.split())
    if re.match(r"(?i)(https?://[^/]|mailto:|tel:)", target) or target.startswith("#"):
        return target
    if re.match(r"(?i)[a-z][a-z0-9+.-]*:", target) or target.startswith(("/", "\\")):
        return None
    path, mark, anchor = target.partition("#")
    if not path.endswith(".md"):
        path = unquote(written.strip().partition("#")[0])
    full = posixpath.normpath(posixpath.join(posixpath.dirname(article), path))
    if full.startswith("..") or full.count("/") != 1:
        return None
    if path.endswith(".md"):
        return f"/a/{full.removesuffix('.md')}{mark}{anchor}"
    return f"/media/{_UNSAFE.sub(lambda found: quote(found.group()), full)}"


def render(article: str, body: str) -> list[Piece]:
    """Return the pieces of an article's Markdown body, sanitised, links resolved. May be slow on crafted input: see `Renderer`."""
    token = f"section-{secrets.token_hex(16)}"
    splitter = _Splitter(token)
    converter = markdown.Markdown(
        extensions=[TocExtension(slugify=anchor_of, toc_depth="2-5"), "tables", "attr_list", "sane_lists", "fenced_code", splitter], output_format="html"
    )
    chunks = converter.convert(body).split(f"<p>{token}</p>")
    heads = [("", "", 1), *splitter.heads]
    return [_piece(article, head, chunk) for head, chunk in zip(heads, chunks, strict=True)]


class _Splitter(Extension):
    """Puts a marker before each top-level h2 and h3, so that the HTML can be cut there whatever stands between."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token
        self.heads: list[tuple[str, str, int]] = []

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802 - the library's name
        """Run last, when headings have text and anchors."""
        md.treeprocessors.register(_SplitTree(self), "kb-split", priority=-10)


class _SplitTree(Treeprocessor):
    """Replaces each top-level heading by the marker and keeps its text: a section's HTML is what stands below the heading."""

    def __init__(self, splitter: _Splitter) -> None:
        super().__init__()
        self.splitter = splitter

    def run(self, root: Element) -> None:
        for place, child in enumerate(list(root)):
            if child.tag in _SECTION_LEVELS:
                self.splitter.heads.append((child.get("id", ""), _text_of(child), _SECTION_LEVELS[child.tag]))
                marker = Element("p")
                marker.text, marker.tail = self.splitter.token, "\n"
                root[place] = marker


def _text_of(heading: Element) -> str:
    """Return a heading's words, without the library's placeholders for raw HTML."""
    text = _PLACEHOLDER.sub("", "".join(heading.itertext()).replace("\x02amp\x03", "&"))
    return " ".join(html.unescape(text).split())


def _piece(article: str, head: tuple[str, str, int], raw: str) -> Piece:
    def attribute(tag: str, name: str, value: str) -> str | None:
        if name not in {"href", "src"}:
            return value
        target = resolve_link(article, value)
        return target if target is None or tag == "a" or target.startswith("/media/") else None

    clean = nh3.clean(
        raw,
        tags=set(_TAGS),
        clean_content_tags={"script", "style", "title", "iframe", "noscript", "svg", "math"},
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"img": {"loading": "lazy"}},
    ).strip()
    anchor, heading, level = head
    return Piece(anchor, heading, level, clean, plain_text(clean))


def plain_text(clean: str) -> str:
    """Return the words of sanitised HTML, one line for each block."""
    lines = html.unescape(nh3.clean(_BLOCK_END.sub(lambda match: f"{match.group()}\n", clean), tags=set())).splitlines()
    return "\n".join(line for line in (" ".join(line.split()) for line in lines) if line)


class Renderer:
    """Renders articles in a child process that is killed when one takes too long. Use as a context manager; one thread only."""

    def __init__(self, time_limit: float = TIME_LIMIT, cache: Cache | None = None) -> None:
        """Start nothing yet; the first article does that `cache` does not have."""
        self._time_limit = time_limit
        self._cache = cache
        self._child: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the child."""
        self._stop()

    def render(self, article: str, body: str) -> list[Piece]:
        """Return the pieces of one article. Raises RenderError when it breaks the limits of time or memory."""
        pieces = self._cache.get([article, body], lambda: self._ask(article, body)) if self._cache else self._ask(article, body)
        return [Piece(**piece) for piece in pieces]

    def _ask(self, article: str, body: str) -> list[dict[str, Any]]:
        connection = self._connection or self._start()
        try:
            connection.send_bytes(json.dumps([article, body]).encode())
            if not connection.poll(self._time_limit):
                self._stop()
                raise RenderError(f"takes longer than {self._time_limit:g} s to render; look for very many or deeply nested brackets, stars or backticks")
            answer = json.loads(connection.recv_bytes())
        except (EOFError, ConnectionError) as error:
            self._stop()
            raise RenderError(f"needs more than {MEMORY_LIMIT // 1024 // 1024} MB to render; split the article") from error
        if "error" in answer:
            raise RenderError(answer["error"])
        pieces: list[dict[str, Any]] = answer["pieces"]
        return pieces

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        command = [sys.executable, "-m", "indexer.render", str(theirs.fileno())]
        self._child = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        theirs.close()
        self._connection = ours
        return ours

    def _stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        self._child = self._connection = None


def _serve(connection: Connection) -> None:
    """Answer render requests until the other side closes. Runs in the child."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    while True:
        try:
            article, body = json.loads(connection.recv_bytes())
        except EOFError:
            return
        try:
            answer: dict[str, object] = {"pieces": [asdict(piece) for piece in render(article, body)]}
        except RecursionError:
            answer = {"error": "is nested too deeply to render; flatten its lists, quotes or emphasis"}
        except MemoryError:
            answer = {"error": f"needs more than {MEMORY_LIMIT // 1024 // 1024} MB to render; split the article"}
        except Exception as error:  # noqa: BLE001 - whatever the parser raises is a fault of this one article, named to its editor
            answer = {"error": f"cannot be rendered ({type(error).__name__}: {error}); simplify the Markdown"}
        connection.send_bytes(json.dumps(answer).encode())


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))
