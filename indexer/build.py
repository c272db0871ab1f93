"""Read, lint, index aside, probe, publish by one pointer, prune. The live build stays until a better one stands complete on disk.

<index>/builds/<id>/   whoosh/  impacts/  catalogue.json  media/  MANIFEST.json   never changed once there
<index>/CURRENT        the id of the published build; replacing it is publishing
<index>/PREVIOUS       what `rollback` returns to
<index>/cache/         what the last build rendered and segmented, so that the next one does it for changed articles only; may be deleted
<index>/last.json      the outcome of the last build, for the desk and `kb index status`
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import unicodedata
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from functools import cache
from importlib.metadata import version
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer import impacts, published, ranking, source, vocabulary, whoosh_backend
from indexer import lint as linting
from indexer import question as questions
from indexer.article import Article, Draft, Section, digest
from indexer.cache import Cache
from indexer.errors import ArticlesRejectedError, BuildRunningError, IndexerError, NoIndexError, Problem
from indexer.lexicon import Lexicon
from indexer.picture import with_sizes
from indexer.published import CATALOGUE, IMPACTS, LEXICON, MANIFEST, Published, Scorer, current_id
from indexer.reply import Reply, reply_of
from indexer.segment import Segmenter, segmenter
from indexer.source import read_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from indexer.backend import FieldPostings
    from indexer.render import Piece
    from indexer.source import Folder

KEEP = 3
"""Builds kept on disk: the published one, the one to roll back to, and one that readers may still hold."""
PROBE_DEPTH = 3
"""A similar question must find its article among this many articles."""


@dataclass(frozen=True)
class Outcome:
    """What a build came to. `build` is the published id (unchanged after a failure); `problems` are lint lines, errors first."""

    ok: bool
    at: str
    build: str
    fingerprint: str
    articles: int
    sections: int
    problems: tuple[str, ...]


def build(articles: Path, index: Path, now: datetime, *, progress: Callable[[str], None] = lambda _: None) -> Outcome:
    """Build and publish an index of `articles` below `index`; return the outcome, which is also kept in last.json.

    Raises ArticlesRejectedError when articles hold errors, BuildRunningError when another builder is at work,
    IndexerError when the folder is missing, OSError when the disk is full or fails. Whatever is raised, the published build stays.
    """
    index.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_builder(index):
        mark = fingerprint(articles)
        try:
            outcome = _build(articles, index, now, mark, progress)
        except (IndexerError, OSError) as error:
            problems = tuple(str(problem) for problem in error.problems) if isinstance(error, ArticlesRejectedError) else (str(error),)
            mark = "" if isinstance(error, OSError) else mark  # a full disk is worth another try with the same articles
            _keep_outcome(
                index, Outcome(ok=False, at=now.isoformat(), build=current_id(index) or "", fingerprint=mark, articles=0, sections=0, problems=problems)
            )
            raise
        _keep_outcome(index, outcome)
        return outcome


def fingerprint(articles: Path) -> str:
    """Return a cheap mark of what a build depends on: the folder's state and this program's own code; "" for a missing folder."""
    return f"{_program()}-{source.fingerprint(articles)}" if articles.is_dir() else ""


@cache
def _program() -> str:
    """Return a hash of the indexer's code and of the libraries that make terms, arrays and HTML: a build by another version is another build."""
    code = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    libraries = [version(name) for name in ("jieba", "Markdown", "nh3", "numpy", "OpenCC", "pypinyin")]
    return hashlib.sha256(code + " ".join([*libraries, whoosh_backend.ENGINE, unicodedata.unidata_version]).encode()).hexdigest()[:16]


def _build(articles: Path, index: Path, now: datetime, mark: str, progress: Callable[[str], None]) -> Outcome:
    progress("reading articles")
    folder = read_folder(articles)
    rendered = Cache(index / "cache" / "pieces", _program())
    corpus = linting.read(folder, now.date(), rendered)
    rendered.save()
    problems = linting.lint(corpus)
    if errors := [problem for problem in problems if problem.error]:
        raise ArticlesRejectedError(errors)
    found = [article_of(draft, corpus.pieces[draft.id], folder) for draft in corpus.drafts]
    words = vocabulary.load(articles)
    id_ = hashlib.sha256(f"{_program()}\0{folder.digest()}".encode()).hexdigest()[:16]
    if not _complete(index / "builds" / id_):
        progress(f"indexing {len(found)} articles")
        modules = [asdict(module) for module in folder.modules]
        replies = [reply_of(draft, folder.company) for draft in corpus.replies]
        segmented = write_build(index, id_, found, words, modules=modules, replies=replies, media=folder.media, company=folder.company)
        progress(f"segmented {segmented} sections, rendered {rendered.made} articles; the others were known from the last build")
    with published.open_build(index, id_) as candidate:
        progress("asking every question of the articles")
        if failed := _probe(candidate, corpus.drafts):
            if id_ not in {current_id(index), _read(index / "PREVIOUS")}:
                shutil.rmtree(index / "builds" / id_)
            raise ArticlesRejectedError(failed)
        sections = len(candidate.sections)
    publish(index, id_)
    warnings = tuple(str(problem) for problem in problems)
    return Outcome(ok=True, at=now.isoformat(), build=id_, fingerprint=mark, articles=len(found), sections=sections, problems=warnings)


def _complete(folder: Path) -> bool:
    try:
        published.verify(folder)
    except IndexerError:
        return False
    return True


def article_of(draft: Draft, pieces: Sequence[Piece], folder: Folder) -> Article:
    """Turn a draft without errors into an article. A lead section without text keeps its place: it carries the questions."""
    meta = draft.meta
    review_by = meta.get("review_by")
    sections = [Section(piece.anchor, piece.heading, piece.level, with_sizes(piece.html, folder.media), piece.text) for piece in pieces]
    return Article(
        id=draft.id,
        title=" ".join(str(meta["title"]).split()),
        sections=tuple(sections),
        kind=str(meta.get("kind", "faq")),
        questions=draft.strings("questions"),
        audience=draft.strings("audience"),
        contexts=draft.strings("contexts"),
        tags=draft.strings("tags"),
        answers=draft.strings("answers"),
        owner=str(meta.get("owner", "")),
        review_by=review_by.isoformat() if isinstance(review_by, date) else "",
        changed=folder.changed.get(draft.path, ""),
    )


def write_build(
    index: Path,
    id_: str,
    articles: Sequence[Article],
    words: vocabulary.Vocabulary,
    *,
    modules: Sequence[dict[str, Any]] = (),
    replies: Sequence[Reply] = (),
    media: dict[str, bytes] | None = None,
    company: dict[str, str] | None = None,
) -> int:
    """Write one complete build aside and move it to builds/<id>, every byte on disk before it gets its name.

    Return how many sections were segmented: those whose texts the last build below `index` did not have.
    """
    builds = index / "builds"
    builds.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = builds / f".{id_}.{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        (aside / "whoosh").mkdir(mode=0o700, parents=True)
        cut = segmenter(words.dictionary)
        terms = Cache(index / "cache" / "terms", json.dumps([_program(), words.dictionary]))
        sections = ((article, section) for article in articles for section in article.sections)
        postings = whoosh_backend.write_postings(aside / "whoosh", (_document(texts, cut, terms) for texts in starmap(_texts, sections)))
        impacts.write(aside / IMPACTS, postings)
        catalogue = {
            "articles": [asdict(replace(article, digest=digest(article))) for article in articles],
            "modules": list(modules),
            "replies": [asdict(reply) for reply in replies],
            "vocabulary": words.as_json(),
            "company": company or {},
            "meanings": {wording: questions.read(wording, words, cut).key for article in articles for wording in _wordings(article)},
        }
        lexicon = Lexicon.of(articles, words, cut, _frequencies(postings))
        (aside / LEXICON).write_text(json.dumps(lexicon.as_json(), ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
        (aside / CATALOGUE).write_text(json.dumps(catalogue, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
        for name, data in (media or {}).items():
            (aside / "media" / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / "media" / name).write_bytes(data)
        files = {path.relative_to(aside).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(aside.rglob("*")) if path.is_file()}
        manifest = {"format": published.FORMAT, "build": id_, "sections": sum(len(article.sections) for article in articles), "files": files}
        (aside / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8")
        for path in [*aside.rglob("*"), aside]:
            _sync(path)
        _put(aside, builds / id_)
        _sync(builds)
        terms.save()
        return terms.made
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _frequencies(postings: Iterable[FieldPostings]) -> dict[str, int]:
    """Return every word of an index with the number of sections it stands in."""
    found: dict[str, int] = {}
    for field in postings:
        if field.field.stream == "words":
            for word, frequency in zip(field.terms, field.frequencies, strict=True):
                found[word] = max(frequency, found.get(word, 0))
    return found


def _wordings(article: Article) -> tuple[str, ...]:
    """Return how an article is asked for."""
    return (*article.questions, article.title)


def _texts(article: Article, section: Section) -> dict[str, str]:
    """Return what is searched of a section: the body holds the title and heading too; questions and tags belong to the lead section only."""
    lead = section is article.sections[0]
    title = f"{article.title}\n{section.heading}"
    return {"body": f"{title}\n{section.text}", "title": title, "question": "\n".join([*article.questions, *article.tags]) if lead else ""}


def _document(texts: dict[str, str], cut: Segmenter, known: Cache) -> Mapping[str, Mapping[str, int]]:
    """Return how often each term stands in each field; body_words holds the words of the text "body"."""

    def counted() -> dict[str, Counter[str]]:
        terms = {name: cut.terms(text) for name, text in texts.items()}
        return {field.name: Counter(getattr(terms[field.name.removesuffix(f"_{field.stream}")], field.stream)) for field in ranking.FIELDS}

    document: dict[str, dict[str, int]] = known.get(texts, counted)
    return document


def _probe(candidate: Published, drafts: Iterable[Draft]) -> list[Problem]:
    """Ask each similar question of the new build; what does not find its own article in the top 3 is an error of that article."""
    failed = []
    for draft in drafts:
        for question in draft.strings("questions"):
            ranked = candidate.articles_for(question, PROBE_DEPTH)
            if draft.id not in ranked:
                above = "、".join(ranked) or "nothing"
                message = f"“{question}” does not find this article in the top {PROBE_DEPTH} (found: {above}); reword it or say it in the text"
                failed.append(Problem(draft.path, draft.lines["questions"], "question-not-found", message))
    return failed


def _put(aside: Path, target: Path) -> None:
    """Give a complete build its name. A damaged one of that name, which may still be serving, goes only then."""
    old = aside.with_suffix(".old")
    if target.exists():
        target.replace(old)
    aside.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def publish(index: Path, id_: str) -> None:
    """Make a complete build the one that readers open, keep the one before for `rollback`, and delete older ones."""
    before = current_id(index)
    if before and before != id_:
        _replace(index / "PREVIOUS", before)
    _replace(index / "CURRENT", id_)
    keep = {id_, before or "", _read(index / "PREVIOUS")}
    builds = sorted((index / "builds").iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    leftovers = [path for path in builds if path.name.startswith(".")]  # of builders that were killed; there is one builder at a time
    spare = [path for path in builds if path.name not in keep and path not in leftovers]
    for path in [*leftovers, *spare[max(0, KEEP - len(keep & {path.name for path in builds})) :]]:
        shutil.rmtree(path, ignore_errors=True)


def rollback(index: Path) -> str:
    """Publish the previous build again and return its id. Raises NoIndexError when there is none.

    The worker builds only when articles change, so the rolled-back build stays until then.
    """
    with _one_builder(index):
        previous = _read(index / "PREVIOUS")
        if not previous or previous == current_id(index) or not (index / "builds" / previous).is_dir():
            raise NoIndexError("there is no earlier build to return to; run `kb index build`")
        published.verify(index / "builds" / previous)
        publish(index, previous)
        return previous


def open_published(index: Path, scorer: Scorer = "compiled") -> Published:
    """Open the published build. Raises NoIndexError or DamagedIndexError."""
    id_ = current_id(index)
    if id_ is None:
        raise NoIndexError(f"no index has been published in {index}; run `kb index build`")
    return published.open_build(index, id_, scorer)


def last_outcome(index: Path) -> Outcome | None:
    """Return what the last build came to, or None before the first and when the note cannot be read."""
    try:
        data = json.loads(_read(index / "last.json"))
        return Outcome(**{**data, "problems": tuple(data["problems"])})
    except (ValueError, TypeError, KeyError):
        return None


def _keep_outcome(index: Path, outcome: Outcome) -> None:
    _replace(index / "last.json", json.dumps(asdict(outcome), ensure_ascii=False, indent=1))


@contextmanager
def _one_builder(index: Path) -> Iterator[None]:
    index.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (index / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BuildRunningError("another build is running; wait for it to end") from error
        yield


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.exists() else ""


def _replace(path: Path, text: str) -> None:
    """Replace a small file so that a reader, and a machine after a power cut, sees the old text or the new."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    _sync(aside)
    aside.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
