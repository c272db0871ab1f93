"""An article: its front matter, its body and, once rendered, its sections."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("faq", "tutorial", "policy", "announcement")
AUDIENCES = ("employee", "finance", "manager", "admin")
PLACEHOLDER = "（待写）"
"""What a draft holds where its editor has to write; the linter refuses to publish it."""
UNSET = "以贵司制度为准"
ASK_HERE = "在这里提问"
"""How to reach those whose contact is unset: a question that is asked here finds them."""
_HALF = re.compile(r"[\ud800-\udfff]")
_KEY = r"\{\{\s*company\.(?P<key>[a-z_]+)\s*\}\}"
_COMPANY = re.compile(rf"(?P<mark>[：，]?){_KEY}")
_LABELLED = re.compile(rf"\s*(?:[-*]\s+|\d+\.\s+)?[^{{}}。；，：]{{1,20}}：\s*{_KEY}。?\s*$")
"""A line that says nothing but one value, with what it is called."""
_CONTACT = "_contact"
WAYS_TO_REACH = (_CONTACT, "hotline", "hotline_hours")
"""How the keys of the company's values end that say where people are reached."""
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.)\s")


@dataclass(frozen=True, slots=True)
class Section:
    """One heading and its text: the unit that is indexed and hit. The lead section has anchor "" and heading ""."""

    anchor: str
    heading: str
    level: int
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Article:
    """A published article. `id` is "module/slug"; `changed` is an ISO date; an empty `audience` means everyone.

    A build gives it its `digest` (see `digest`); elsewhere that is "".
    """

    id: str
    title: str
    sections: tuple[Section, ...]
    kind: str = "faq"
    questions: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    owner: str = ""
    review_by: str = ""
    changed: str = ""
    digest: str = ""

    @property
    def module(self) -> str:
        """The folder it lies in."""
        return self.id.split("/", 1)[0]


def digest(article: Article) -> str:
    """Return 16 hexadecimal digits that stay while an article says the same: title, questions, headings and text of its sections, answers.

    Across builds, they tell whether it changed since. Tags, dates, owner and audience are not what it says; the company's values in its text are.
    """
    said = [article.title, article.questions, [(section.heading, section.text) for section in article.sections], article.answers]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Flaw:
    """Something about a file that keeps it from being read, with its line."""

    line: int
    rule: str
    message: str


@dataclass(frozen=True)
class Draft:
    """A Markdown file as written: `meta` with the line of each key in `lines`, and the body, which begins at `body_line`."""

    path: str
    body: str = ""
    body_line: int = 1
    meta: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    flaws: tuple[Flaw, ...] = ()

    @property
    def id(self) -> str:
        """The article's identity: its path without .md."""
        return self.path.removesuffix(".md")

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of the front matter as strings; () when it is absent or something else."""
        value = self.meta.get(key)
        return tuple(str(item) for item in value) if isinstance(value, list) else ()


class _SafeLoader(yaml.SafeLoader):
    """YAML without aliases: a front matter needs none, and a few lines of them expand to gigabytes. Nor with half characters, which no file takes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed in front matter", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        if isinstance(value, str) and _HALF.search(value):
            raise yaml.MarkedYAMLError(problem="an escape stands for half a character; write the character itself", problem_mark=node.start_mark)
        return value


def parse(path: str, source: str) -> Draft:
    """Split a Markdown file into front matter and body. Never raises: what cannot be read stands in `flaws`."""
    lines = source.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != "---":
        return Draft(path, "\n".join(lines), flaws=(Flaw(1, "front-matter", "does not begin with front matter; put `---`, `title: …`, `---` first"),))
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        return Draft(path, flaws=(Flaw(1, "front-matter", "the front matter is not closed; end it with a line `---`"),))
    meta, key_lines, flaw = _front_matter("\n".join(lines[1:end]))
    return Draft(path, "\n".join(lines[end + 1 :]), end + 2, meta, key_lines, (flaw,) if flaw else ())


def _front_matter(text: str) -> tuple[dict[str, Any], dict[str, int], Flaw | None]:
    try:
        loader = _SafeLoader(text)
        node = loader.get_single_node()
        meta = loader.construct_document(node) if node else {}
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError, TypeError) as error:  # the last three: `!!bool maybe`, `!!int ""` …
        mark = getattr(error, "problem_mark", None)
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        return {}, {}, Flaw(mark.line + 2 if mark else 2, "front-matter", f"is not YAML: {problem}; quote text that holds `: ` or begins with a sign")
    if not isinstance(meta, dict):
        return {}, {}, Flaw(2, "front-matter", "is not a list of `key: value` lines")
    key_lines: dict[str, int] = {}
    for key, _ in node.value if node else ():
        if str(key.value) in key_lines:
            return {}, {}, Flaw(key.start_mark.line + 2, "front-matter", f"has {key.value} twice; keep one")
        key_lines[str(key.value)] = key.start_mark.line + 2
    return {str(key): value for key, value in meta.items()}, key_lines, None


def company_keys(text: str) -> list[str]:
    """Return the `{{company.…}}` keys that a text uses, in order."""
    return [match["key"] for match in _COMPANY.finditer(text)]


def fill_company(text: str, company: Mapping[str, str], ask: str = ASK_HERE) -> str:
    """Put the company's values into a text.

    Where a way to reach somebody (…_contact) is unset, it reads `ask`, or falls away with the mark before it where that is "". A line that would say
    nothing but another unset value (- 热线：…) falls away; what announced a list that fell away ends as a sentence, and a heading below which nothing
    stayed reads 以贵司制度为准, as an unset value in the middle of a line does.
    """
    kept: list[str] = []
    fell: int | None = None
    for line in text.split("\n"):
        told = _LABELLED.match(line)
        if told and not company.get(told["key"]) and not told["key"].endswith(_CONTACT):
            fell = _indent(line)
            continue
        if fell is not None and line.strip():
            _close(kept, line, goes_on=bool(_ITEM.match(line)) and _indent(line) >= fell)
            fell = None
        kept.append(_COMPANY.sub(lambda match: _value(match, company, ask), line))
    if fell is not None:
        _close(kept, "#", goes_on=False)
    return "\n".join(kept)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _close(kept: list[str], following: str, *, goes_on: bool) -> None:
    """Mend what stands before lines that fell away, unless their list goes on: an announcement becomes a sentence, a heading without text gets one."""
    at = next((at for at in range(len(kept) - 1, -1, -1) if kept[at].strip()), None)
    if at is not None and kept[at].startswith("#") and following.startswith("#"):
        kept[at + 1 :] = ["", f"{UNSET}。", ""]
    elif at is not None and kept[at].endswith("：") and not goes_on:
        kept[at] = f"{kept[at][:-1]}。"


def _value(match: re.Match[str], company: Mapping[str, str], ask: str) -> str:
    if value := company.get(match["key"]):
        return f"{match['mark']}{value}"
    if match["key"].endswith(_CONTACT):
        return ask and f"{match['mark']}{ask}"
    return f"{match['mark']}{UNSET}"
