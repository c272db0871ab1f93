"""Hostile inputs through the indexer and the pure modules: nothing raises, nothing forbidden comes out."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from indexer.article import parse
from indexer.render import Renderer, RenderError, render
from indexer.segment import segmenter
from indexer.snippet import marked
from indexer.source import read_folder
from indexer.text import normalise
from kb.analytics.export import to_csv
from kb.masking import masked
from kb.search.answer import answer
from kb.search.intents import Trigger, finishes

HOSTILE = Path(__file__).parents[2].parent / "shared" / "hostile"
pytestmark = pytest.mark.skipif(not HOSTILE.is_dir(), reason=f"the hostile inputs are not at {HOSTILE}")

TAGS = set("a abbr b blockquote br code dd del dl dt em h2 h3 h4 h5 hr i img ins kbd li ol p pre s strong sub sup table tbody td th thead tr u ul".split())  # noqa: SIM905
EVERYWHERE = {"lang", "title"}  # words for people; nothing is loaded or run from them
ATTRIBUTES = {"a": {"href", "title", "rel"}, "img": {"src", "alt", "title", "loading"}, "td": {"align"}, "th": {"align"}, "ol": {"start"}}
SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:")


class Oracle(HTMLParser):
    """Lists what a reader's browser must never be given: a tag, attribute or address outside the allowed ones."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        if tag not in TAGS:
            self.found.append(tag)
        for name, value in attributes:
            allowed = EVERYWHERE | ATTRIBUTES.get(tag, set()) | ({"id"} if re.fullmatch("h[2-5]", tag) else set())
            if name not in allowed or (name in {"href", "src"} and not self.harmless(tag, value or "")):
                self.found.append(f"{tag} {name}={value}")

    def handle_comment(self, data):
        self.found.append(f"<!--{data}")

    def handle_decl(self, decl):
        self.found.append(f"<!{decl}")

    def handle_pi(self, data):
        self.found.append(f"<?{data}")

    @staticmethod
    def harmless(tag, value):
        # What browsers strip around and inside an address before they look at its scheme.
        address = re.sub("[\t\r\n]", "", value.strip("".join(map(chr, range(0x21))))).casefold()
        if tag == "img":
            return address.startswith("/media/")
        if scheme := SCHEME.match(address):
            return scheme.group() in {"http:", "https:", "mailto:", "tel:"}
        return not address.startswith(("//", "\\", "/\\")) and (not address.startswith("/") or address.startswith(("/a/", "/media/")))


def forbidden(html_):
    oracle = Oracle()
    oracle.feed(html_)
    oracle.close()
    return oracle.found


def load(path):
    return json.loads((HOSTILE / path).read_text(encoding="utf-8"))


def lines(path):
    return (HOSTILE / path).read_bytes().decode("utf-8", errors="replace").splitlines()


def scripts():
    found = [item["markdown"] for item in load("markdown/own_markdown_xss.json")]
    found += [item["payload"] for item in load("xss/dompurify_expect.json")]
    found += [item["data"] for item in load("xss/h5sc_items.json")["items"]]
    found += [item["payload"] for item in load("xss/owasp_xss_filter_evasion.json")]
    found += [item["raw"] for item in load("xss/bleach_data_tests.json")]
    found += (HOSTILE / "markdown" / "markdown-it_xss.txt").read_text().split("\n.\n")
    for path in sorted((HOSTILE / "xss").glob("*.txt")):
        found += lines(f"xss/{path.name}")[:: 1 if path.name.startswith(("fuzzdb", "patt")) else 12]
    return [text for text in dict.fromkeys(found) if text.strip()]


def strings():
    found = [item["text"] if "text" in item else json.loads(item["json_escaped_text"]) for item in load("strings/own_unicode.json")]
    found += [item["q"] if item.get("q") is not None else item["gen"]["unit"] * item["gen"]["times"] for item in load("strings/own_queries.json")]
    found += load("strings/blns.json")
    for path in sorted([*(HOSTILE / "strings").glob("fuzzdb_*.txt"), *(HOSTILE / "injection").glob("*.txt"), *(HOSTILE / "traversal").glob("*.txt")]):
        found += lines(f"{path.parent.name}/{path.name}")[::20]
    return list(dict.fromkeys(found))


def test_the_oracle_knows_an_attack_when_it_sees_one():
    for attack in (
        "<script>",
        "<svg>",
        "<p onclick=x>",
        "<a href=' java\tscript:x'>",
        "<a href=//evil.example>",
        "<a href=/desk>",
        "<img src=https://evil.example>",
        "<h1>",
        "<!--x-->",
        "<h6 id=x>",
        "<a href='data:x'>",
    ):
        assert forbidden(attack), attack
    assert forbidden('<h2 id="a">x</h2><a href="https://example.com" rel="noopener noreferrer">x</a><img src="/media/m/a.svg" alt="" loading="lazy">') == []


def test_no_script_gets_through_an_article():
    payloads = scripts()
    assert len(payloads) > 1500
    broken = {}
    for payload in payloads:
        for body in (payload, f"见[这里]({payload})和![图]({payload})。"):
            pieces = render("m/a", body)
            if found := [one for piece in pieces for one in forbidden(piece.html)]:
                broken[body] = found
    assert broken == {}


def test_no_script_gets_through_a_heading_and_its_words_are_plain():
    for payload in scripts()[::5]:
        line = " ".join(payload.split())
        for piece in render("m/a", f"先说。\n\n## {line}\n\n发票"):
            assert forbidden(piece.html) == []
            assert forbidden(marked(piece.heading, ["script", "alert"]).replace("<mark>", "").replace("</mark>", "")) == []
            assert "\x02" not in piece.heading


def test_the_text_of_a_section_is_text():
    for payload in scripts()[::5]:
        for piece in render("m/a", payload):
            shown = marked(piece.text, ["script", "alert", "xss"])
            assert not re.search(r"<(?!/?mark>)", shown)
            assert html.unescape(re.sub("</?mark>", "", shown)) == piece.text.replace("\n", " ")


def test_pathological_markdown_is_rendered_or_refused_and_the_renderer_goes_on():
    refused = []
    with Renderer(time_limit=3) as renderer:
        for case in load("markdown/own_pathological.json"):
            body = case["prefix"] + case["unit"] * case["times"] + case["suffix"] + case.get("suffix_unit", "") * case.get("suffix_times", 0)
            try:
                assert [one for piece in renderer.render("m/a", body[:3000]) for one in forbidden(piece.html)] == []
            except RenderError as error:
                refused.append((case["name"], str(error)))
        assert renderer.render("m/a", "**好**")[0].text == "好"
    assert len(refused) < 10, refused


def test_any_string_can_be_asked(shipped):
    cut = segmenter(shipped.vocabulary.words)
    for text in strings():
        normal = normalise(text)
        assert normalise(normal.text).text == normal.text, text
        assert len(normal.offsets) == len(normal.text) + 1
        assert all(cut.terms(text[:5000]).words)
        said = answer(shipped, text)
        assert 0 <= said.decision.score <= 1 + 1e-9
        for hit in said.hits:
            assert not re.search(r"<(?!/?mark>)", f"{hit.heading}{hit.snippet}")
        assert finishes(text[:2000], Trigger.ENTER)
        finishes(text[:2000], Trigger.LEAVE)
        assert masked(masked(text[:5000])) == masked(text[:5000])


def test_any_string_is_forgiven_or_left_alone_in_less_than_a_second(shipped):
    for text in strings():
        for typed in (text, f"fapiao {text[:200]} 发漂", text[:300].replace(" ", "")):
            started = time.thread_time()
            question = shipped.read(typed)
            assert time.thread_time() - started < 1, typed[:100]
            assert question.corrected is None or (question.corrected.strip() and question.corrected != question.text), typed[:100]


def test_any_string_can_be_front_matter_and_body():
    for text in strings():
        source = f"---\ntitle: {text[:3000]}\n---\n{text[:3000]}"
        draft = parse("m/a.md", source)
        assert all("\n" not in flaw.message for flaw in draft.flaws), text[:100]
        parse("m/a.md", text[:3000])


def test_bytes_that_are_no_utf8_are_refused_with_their_line_and_never_repaired(write):
    cases = [line.split(b":", 2) for line in (HOSTILE / "utf8" / "utf8tests.bin").read_bytes().split(b"\n") if line.count(b":") >= 2]
    files = {f"m/a{number}.md": b"---\ntitle: x\n---\n" + data for number, (_, _, data) in enumerate(cases)}
    folder = read_folder(write(files))
    refused = {flaw.path: (flaw.rule, flaw.line) for flaw in folder.unreadable}
    for number, (_, kind, data) in enumerate(cases):
        path = f"m/a{number}.md"
        if kind == b"valid":
            assert folder.articles[path].encode() == files[path]
        else:
            assert refused[path] == ("encoding", 4), data


def test_no_cell_of_an_export_is_a_formula():
    cells = [item["cell"] for item in load("csv/own_formulas.json")] + lines("csv/payloadbox_csv.txt")
    text = to_csv(["问题", "次数"], [[cell, 1] for cell in cells]).removeprefix("\ufeff")
    _, *rows = csv.reader(io.StringIO(text, newline=""))
    assert len(rows) == len(cells)
    for (shown, _), cell in zip(rows, cells, strict=True):
        assert shown.removeprefix("'") == cell or shown == cell
        assert not normalise(shown).text.lstrip().startswith(("=", "+", "-", "@", "|", "%"))
