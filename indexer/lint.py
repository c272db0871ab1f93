"""What editors are told about their articles: one function per rule, each problem with file, line and remedy."""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from indexer import picture, vocabulary
from indexer.article import AUDIENCES, KINDS, PLACEHOLDER, Draft, company_keys, fill_company, parse
from indexer.errors import Problem
from indexer.render import Renderer, RenderError, resolve_link
from indexer.reply import MAX_TEXT
from indexer.source import COMPANY, MODULES
from indexer.text import bare, folded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from indexer.cache import Cache
    from indexer.render import Piece
    from indexer.source import Folder

KEYS = ("title", "questions", "kind", "audience", "contexts", "tags", "owner", "review_by", "answers")
REPLY_KEYS = ("title", "modules")
_LISTS = ("questions", "audience", "contexts", "tags", "answers")
_PLURALS = {"article": "articles", "canned reply": "canned replies"}
_TITLE_LENGTH = 60
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,79}/[a-z0-9][a-z0-9-]{0,79}\.md")
_REPLY = re.compile(r"_replies/[a-z0-9][a-z0-9-]{0,79}\.md")
_PLACE = re.compile(r"\{\{[^{}]*\}*")
_MARKDOWN = re.compile(r"\s{0,3}#{1,6}\s|!?\[[^\]]{0,500}\]\(|\*\*|`")
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]\\]|\\.){0,500})\]\((?P<target><[^<>]{1,500}>|[^()\s]{1,500})(?:\s+\"[^\"]{0,200}\")?\)")
_LIST_ITEM = re.compile(r"\s{0,3}(?:[-*+]|\d{1,3}\.)\s+\S")
_PINYIN_RESIDUE = re.compile(r"[\u4e00-\u9fff][((][a-zāáǎàōóǒòēéěèīíǐìūúǔùǖǘǚǜü]{1,6}[))]")


@dataclass(frozen=True)
class Corpus:
    """A folder with its articles parsed and rendered, and its canned replies parsed."""

    folder: Folder
    drafts: tuple[Draft, ...]
    pieces: dict[str, list[Piece]]
    render_errors: dict[str, str]
    today: date
    anchors: dict[str, set[str]] = field(default_factory=dict)
    replies: tuple[Draft, ...] = ()


def read(folder: Folder, today: date, rendered: Cache | None = None) -> Corpus:
    """Parse and render every article of a folder; what is in `rendered` is not rendered again."""
    drafts = tuple(parse(path, source) for path, source in sorted(folder.articles.items()))
    pieces: dict[str, list[Piece]] = {}
    errors: dict[str, str] = {}
    with Renderer(cache=rendered) as renderer:
        for draft in drafts:
            try:
                pieces[draft.id] = renderer.render(draft.id, fill_company(draft.body, folder.company))
            except RenderError as error:
                errors[draft.id] = str(error)
    anchors = {id_: {piece.anchor for piece in found if piece.anchor} for id_, found in pieces.items()}
    return Corpus(folder, drafts, pieces, errors, today, anchors, tuple(parse(path, source) for path, source in sorted(folder.replies.items())))


def lint(corpus: Corpus) -> list[Problem]:
    """Return every problem of a corpus, sorted by file and line."""
    found = {problem for rule in RULES for problem in rule(corpus)}
    for drafts, rules in ((corpus.drafts, DRAFT_RULES), (corpus.replies, REPLY_RULES)):
        for draft in drafts:
            if not draft.flaws:
                found.update(problem for each in rules for problem in each(draft, corpus))
    return sorted(found)


def _unreadable(corpus: Corpus) -> Iterator[Problem]:
    """Files that cannot or must not be read, and editors' files that are no TOML."""
    for flaw in corpus.folder.unreadable:
        yield Problem(flaw.path, flaw.line, flaw.rule, flaw.message)


def _front_matter(corpus: Corpus) -> Iterator[Problem]:
    for draft in (*corpus.drafts, *corpus.replies):
        for flaw in draft.flaws:
            yield Problem(draft.path, flaw.line, flaw.rule, flaw.message)


def _no_articles(corpus: Corpus) -> Iterator[Problem]:
    """An empty folder is a wrong setting or a failed checkout, not a wish to publish nothing."""
    if not corpus.drafts:
        yield Problem(str(corpus.folder.path), 1, "no-articles", "holds no article; add <module>/<slug>.md or set KB_ARTICLES to the right folder")


def _render(corpus: Corpus) -> Iterator[Problem]:
    for draft in corpus.drafts:
        if draft.id in corpus.render_errors:
            yield Problem(draft.path, draft.body_line, "render", corpus.render_errors[draft.id])


def _duplicate_slugs(corpus: Corpus) -> Iterator[Problem]:
    """Two files that would have one address, on this or on a case-blind file system."""
    names = [*corpus.folder.articles, *(flaw.path for flaw in corpus.folder.unreadable if flaw.path.endswith(".md"))]
    same: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        same[re.sub(r"\.(md|markdown)$", "", name.casefold())].append(name)
    for twins in same.values():
        for twin in twins[1:]:
            yield Problem(twin, 1, "duplicate-slug", f"has the same address as {twins[0]}; rename one of them")


def _duplicate_questions(corpus: Corpus) -> Iterator[Problem]:
    """A similar question can lead to one article only."""
    first: dict[str, str] = {}
    for draft in corpus.drafts:
        for question in draft.strings("questions"):
            key = folded(question)
            if key in first and first[key] != draft.path:
                yield Problem(draft.path, draft.lines["questions"], "duplicate-question", f"“{question}” stands in {first[key]} too; keep it in one article")
            first.setdefault(key, draft.path)


def _vocabulary(corpus: Corpus) -> Iterator[Problem]:
    try:
        vocabulary.load(corpus.folder.path)
    except vocabulary.VocabularyError as error:
        yield Problem(error.path, error.line, "vocabulary", error.message)


def _company_unset(corpus: Corpus) -> Iterator[Problem]:
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, drafts in (("article", corpus.drafts), ("canned reply", corpus.replies)):
        for draft in drafts:
            for key in set(company_keys(draft.body)):
                used[key][kind] += 1
    for key, counts in used.items():
        if key in corpus.folder.company and not corpus.folder.company[key]:
            lines = corpus.folder.editors_files[COMPANY].decode().splitlines()
            line = next((i for i, text in enumerate(lines, 1) if text.startswith(key)), 1)
            count = " and ".join(f"{number} {kind if number == 1 else _PLURALS[kind]}" for kind, number in counts.items())
            yield Problem(COMPANY, line, "company-unset", f"{key} is empty: {count} cannot say it; write your company's value", error=False)


RULES: tuple[Callable[[Corpus], Iterator[Problem]], ...] = (
    _unreadable,
    _no_articles,
    _front_matter,
    _render,
    _duplicate_slugs,
    _duplicate_questions,
    _vocabulary,
    _company_unset,
)


def _path(draft: Draft, corpus: Corpus) -> Iterator[Problem]:
    if not _SLUG.fullmatch(draft.path):
        yield Problem(draft.path, 1, "path", "is not <module>/<slug>.md with lower-case letters, digits and hyphens; move or rename it")
    elif corpus.folder.modules and draft.path.split("/")[0] not in {module.id for module in corpus.folder.modules}:
        module = draft.path.split("/", maxsplit=1)[0]
        yield Problem(draft.path, 1, "module", f"the folder {module} is not in _modules.toml; add `[{module}]` with its name")


def _unknown_keys(draft: Draft, _: Corpus) -> Iterator[Problem]:
    yield from _others(draft, KEYS)


def _others(draft: Draft, known: tuple[str, ...]) -> Iterator[Problem]:
    for key in draft.meta:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.75)
            remedy = f"did you mean {near[0]}?" if near else f"use only {', '.join(known)}"
            yield Problem(draft.path, draft.lines.get(key, 1), "unknown-key", f"the front matter key {key} is unknown; {remedy}")


def _title(draft: Draft, _: Corpus) -> Iterator[Problem]:
    title = draft.meta.get("title")
    line = draft.lines.get("title", 1)
    if not isinstance(title, str) or not bare(title):
        yield Problem(draft.path, line, "title", "has no title with a letter in it; write `title: …`, in the words of the person in trouble")
    elif len(title) > _TITLE_LENGTH:
        yield Problem(draft.path, line, "title", f"the title has {len(title)} characters, more than {_TITLE_LENGTH}; shorten it", error=False)


def _company_outside_body(draft: Draft, _: Corpus) -> Iterator[Problem]:
    for key, value in draft.meta.items():
        if company_keys(str(value)):
            yield Problem(draft.path, draft.lines.get(key, 1), "company-key", f"{{{{company.…}}}} is filled in the body only; write {key} without it")


def _lists(draft: Draft, _: Corpus) -> Iterator[Problem]:
    for key in _LISTS:
        value = draft.meta.get(key)
        if value is not None and not (isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)):
            yield Problem(draft.path, draft.lines[key], key, f"{key} is not a list of texts; write `{key}: [one, two]` and quote what is not plain text")


def _questions(draft: Draft, _: Corpus) -> Iterator[Problem]:
    if "questions" not in draft.meta:
        yield Problem(draft.path, 1, "questions", "has no questions; add 3-8 as people type them, each is tested to find this article", error=False)
    for question in draft.strings("questions"):
        if question.strip() and not bare(question):
            yield Problem(draft.path, draft.lines["questions"], "questions", f"“{question}” has no letter in it; write what people type, or leave it out")


def _choices(draft: Draft, _: Corpus) -> Iterator[Problem]:
    kind = draft.meta.get("kind", "faq")
    if kind not in KINDS:
        yield Problem(draft.path, draft.lines["kind"], "kind", f"kind {kind!r} is unknown; use one of {', '.join(KINDS)}")
    for who in draft.strings("audience"):
        if who not in AUDIENCES:
            yield Problem(
                draft.path, draft.lines["audience"], "audience", f"audience {who!r} is unknown; use {', '.join(AUDIENCES)}, or leave it out for everyone"
            )


def _owner_and_review(draft: Draft, corpus: Corpus) -> Iterator[Problem]:
    review_by = draft.meta.get("review_by")
    if review_by is None:
        yield Problem(draft.path, 1, "review-by", "has no review date; add `review_by: 2027-05-01`", error=False)
    elif type(review_by) is not date:
        yield Problem(draft.path, draft.lines["review_by"], "review-by", f"{review_by!r} is not a date; write it as 2027-05-01")
    elif review_by < corpus.today:
        yield Problem(draft.path, draft.lines["review_by"], "review-by", f"was to be reviewed by {review_by}; check it and set a new date", error=False)
    owner = draft.meta.get("owner")
    if owner is None:
        yield Problem(draft.path, 1, "owner", "has no owner; add `owner: team`", error=False)
    elif not isinstance(owner, str):
        yield Problem(draft.path, draft.lines["owner"], "owner", f"{owner!r} is not a name; write `owner: team`")


def _answers(draft: Draft, _: Corpus) -> Iterator[Problem]:
    for ticket in draft.strings("answers"):
        if not re.fullmatch(r"T-\d{1,9}", ticket):
            yield Problem(draft.path, draft.lines["answers"], "answers", f"{ticket!r} is no ticket number; write T-1024")


def _body_lines(draft: Draft) -> Iterator[tuple[int, str]]:
    """Return the numbered lines outside fenced code. A fence ends with the same signs alone, so that a longer one may hold a shorter one."""
    fence = ""
    for number, line in enumerate(draft.body.split("\n"), draft.body_line):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and not fence:
            fence = mark[1]
        elif fence and line.strip() == fence:
            fence = ""
        elif not fence:
            yield number, line


def _headings(draft: Draft, corpus: Corpus) -> Iterator[Problem]:
    level, seen = 1, set()
    for number, line in _body_lines(draft):
        match = re.match(r"(#{1,6})\s*([^#\s].*)", line)
        if not match:
            continue
        depth = len(match[1])
        if depth == 1:
            yield Problem(draft.path, number, "heading", "a level-1 heading stands in the body; the title is the front matter's, begin with ##")
            continue
        if depth > level + 1:
            yield Problem(draft.path, number, "heading", f"jumps from level {level} to {depth}; use {'#' * (level + 1)}")
        level = depth
        if folded(match[2]) in seen:
            yield Problem(draft.path, number, "heading", f"“{match[2]}” stands twice; name what each section answers", error=False)
        seen.add(folded(match[2]))
    empty = [piece.heading for piece in corpus.pieces.get(draft.id, [])[1:] if not piece.text]
    for heading in empty:
        number = next((i for i, line in _body_lines(draft) if line.startswith("#") and heading in line), draft.body_line)
        yield Problem(draft.path, number, "empty-section", f"nothing stands below “{heading}”; a hit on it would show nothing", error=False)


def _empty_body(draft: Draft, corpus: Corpus) -> Iterator[Problem]:
    if draft.id in corpus.pieces and not any(piece.text for piece in corpus.pieces[draft.id]):
        yield Problem(draft.path, draft.body_line, "empty", "has no text; begin with the answer in one to three sentences")


def _links(draft: Draft, corpus: Corpus) -> Iterator[Problem]:
    for number, line in _body_lines(draft):
        for link in _LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            target, image = link["target"].strip("<>"), bool(link["image"])
            yield from _dead_link(draft, corpus, number, target, image=image)
            if image and not link["text"].strip():
                yield Problem(draft.path, number, "image-alt", f"the picture {target} has no description; write what it shows in the [ ]")


def _dead_link(draft: Draft, corpus: Corpus, line: int, target: str, *, image: bool) -> Iterator[Problem]:
    resolved = resolve_link(draft.id, target)
    if resolved is None:
        yield Problem(draft.path, line, "dead-link", f"{target} cannot be followed; link to ../module/article.md, a file beside the article, or https://…")
    elif resolved.startswith("/media/"):
        if (name := picture.named(resolved.removeprefix("/media/"))) not in corpus.folder.media:
            yield Problem(draft.path, line, "dead-link", f"there is no file {name}; add it or correct the name")
    elif image:
        yield Problem(draft.path, line, "dead-link", f"the picture {target} is not a file beside the article; copy it there, nothing is loaded from elsewhere")
    elif resolved.startswith(("/a/", "#")):
        article, _, anchor = resolved.removeprefix("/a/").partition("#")
        article = article or draft.id
        if f"{article}.md" not in corpus.folder.articles:
            yield Problem(draft.path, line, "dead-link", f"there is no article {article}.md; correct the link")
        elif anchor and anchor not in corpus.anchors.get(article, {anchor}):
            near = difflib.get_close_matches(anchor, corpus.anchors[article], 1, 0.3)
            yield Problem(draft.path, line, "dead-link", f"{article}.md has no section #{anchor}{f'; did you mean #{near[0]}?' if near else ''}")


def _company_keys(draft: Draft, corpus: Corpus) -> Iterator[Problem]:
    for number, line in enumerate(draft.body.split("\n"), draft.body_line):
        for key in company_keys(line):
            if key not in corpus.folder.company:
                yield Problem(draft.path, number, "company-key", f"{{{{company.{key}}}}} is not in {COMPANY}; add it there or correct the name")


def _lists_need_air(draft: Draft, _: Corpus) -> Iterator[Problem]:
    """Markdown joins a list to the paragraph above it when no blank line stands between."""
    before = ""
    for number, line in _body_lines(draft):
        joined = before.strip() and not before.startswith((" ", "\t", "#", ">", "|", "<")) and not _LIST_ITEM.match(before)
        if _LIST_ITEM.match(line) and not line.startswith(" ") and joined:
            yield Problem(draft.path, number, "list", "the list would join the paragraph above; put a blank line before it", error=False)
        before = line


def _placeholder(draft: Draft, _: Corpus) -> Iterator[Problem]:
    for number, line in _body_lines(draft):
        if PLACEHOLDER in line:
            yield Problem(draft.path, number, "placeholder", f"still holds {PLACEHOLDER}; write the text or delete the line")


def _damaged_text(draft: Draft, _: Corpus) -> Iterator[Problem]:
    for number, line in enumerate(draft.body.split("\n"), draft.body_line):
        if "\ufffd" in line:
            yield Problem(draft.path, number, "damaged-text", "holds U+FFFD, the mark of a lost character; type the character again")
        if residue := _PINYIN_RESIDUE.search(line):
            yield Problem(draft.path, number, "damaged-text", f"“{residue.group()}” looks like pinyin left over from a copy; remove it", error=False)


DRAFT_RULES: tuple[Callable[[Draft, Corpus], Iterator[Problem]], ...] = (
    _path,
    _unknown_keys,
    _title,
    _company_outside_body,
    _lists,
    _questions,
    _choices,
    _owner_and_review,
    _answers,
    _headings,
    _empty_body,
    _links,
    _company_keys,
    _lists_need_air,
    _placeholder,
    _damaged_text,
)


def _reply_path(draft: Draft, _: Corpus) -> Iterator[Problem]:
    if not _REPLY.fullmatch(draft.path):
        yield Problem(draft.path, 1, "path", "is not _replies/<slug>.md with lower-case letters, digits and hyphens; move or rename it")


def _reply_keys(draft: Draft, _: Corpus) -> Iterator[Problem]:
    yield from _others(draft, REPLY_KEYS)


def _reply_title(draft: Draft, _: Corpus) -> Iterator[Problem]:
    title = draft.meta.get("title")
    if not isinstance(title, str) or not bare(title):
        yield Problem(draft.path, draft.lines.get("title", 1), "title", "has no title with a letter in it; write `title: …`, what agents pick it by")


def _reply_modules(draft: Draft, corpus: Corpus) -> Iterator[Problem]:
    if "modules" not in draft.meta:
        return
    value, line = draft.meta["modules"], draft.lines["modules"]
    if not (isinstance(value, list) and value and all(isinstance(id_, str) for id_ in value)):
        yield Problem(draft.path, line, "modules", "modules is not a list of module ids; write `modules: [invoices]`, or leave it out for all modules")
        return
    known = [module.id for module in corpus.folder.modules]
    for id_ in value:
        if id_ not in known:
            near = difflib.get_close_matches(id_, known, 1, 0.6)
            remedy = f"did you mean {near[0]}?" if near else f"use its ids ({', '.join(known)}), or leave modules out for all of them"
            yield Problem(draft.path, line, "modules", f"the module {id_} is not in {MODULES}; {remedy}")


def _reply_text(draft: Draft, corpus: Corpus) -> Iterator[Problem]:
    length = len(fill_company(draft.body, corpus.folder.company).strip())
    if not bare(draft.body):
        yield Problem(draft.path, draft.body_line, "empty", "has no text; write below the front matter what is sent")
    elif length > MAX_TEXT:
        yield Problem(
            draft.path, draft.body_line, "length", f"has {length:,} characters, more than {MAX_TEXT:,}; shorten it, or write an article and link to it"
        )


def _reply_places(draft: Draft, corpus: Corpus) -> Iterator[Problem]:
    """Whatever stands in {{ }} and is not filled in would be sent as it is."""
    for number, line in enumerate(draft.body.split("\n"), draft.body_line):
        for place in _PLACE.finditer(line):
            keys = company_keys(place.group())
            if not keys:
                remedy = f"only {{{{company.…}}}} with a key of {COMPANY} is filled in"
                yield Problem(draft.path, number, "company-key", f"{place.group()} would be sent as it is; {remedy}")
            elif keys[0] not in corpus.folder.company:
                yield Problem(draft.path, number, "company-key", f"{place.group()} is not in {COMPANY}; add it there or correct the name")


def _reply_plain(draft: Draft, _: Corpus) -> Iterator[Problem]:
    for number, line in enumerate(draft.body.split("\n"), draft.body_line):
        if sign := _MARKDOWN.search(line):
            yield Problem(draft.path, number, "plain-text", f"“{sign.group().strip()}” is sent as it is: a reply is plain text; write it without", error=False)


REPLY_RULES: tuple[Callable[[Draft, Corpus], Iterator[Problem]], ...] = (
    _reply_path,
    _reply_keys,
    _reply_title,
    _company_outside_body,
    _reply_modules,
    _reply_text,
    _reply_places,
    _reply_plain,
    _placeholder,
    _damaged_text,
)
