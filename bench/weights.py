"""`python -m bench.weights SET...`: how ranking quality follows from the weights in indexer/ranking.py, and which ones would be better.

A SET is a folder in BEIR layout; the articles are a set too, each similar question asked of a build without that wording. Every weight is changed by itself,
a little down and a little up, and what that does to each set stands in a table. Then the changes that raise the mean over the sets are put together, best
first, each only if it still helps and no figure falls: a gain on one set that costs another is no gain. Nothing is written; a person edits ranking.py.
"""

from __future__ import annotations

import statistics
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from bench.figures import table
from bench.folds import ARTICLES, read_articles, without_one_wording
from indexer import impacts, ranking, vocabulary, whoosh_backend
from indexer.build import write_build
from indexer.evaluate import documents, judged
from indexer.impacts import ImpactsBackend
from indexer.published import open_build

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from indexer.article import Article

ROOT = Path(__file__).parents[1]
PARTS = ("weight", "k1", "b")
CONSTANTS = ("QUESTION_WORD", "SYNONYM", "FREQUENT")
"""Without NUMBER and MAX_FOREIGN: they weigh words that stand in no section, which changes no ranking but what an answer lacks."""
SHARES = frozenset({"b", "FREQUENT"})
"""Weights that lie between 0 and 1."""
FACTORS = (0.7, 1.4)
STEP = 0.1
"""By how much a `b` is changed."""
DEPTH, TOP = 10, 3
TOLERANCE = 0.002
"""By how much a figure may fall below that of the weights as they are."""
LEAST = 0.0005
"""A smaller gain of the mean is chance: on 400 questions, less than one of them one place higher."""

Weights = dict[str, float]
"""Every weight by its name: `title_words.b`, `QUESTION_WORD`."""
Asked = tuple[str, "Collection[str]"]
"""A question and the ids of the articles that answer it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """MRR@10 of each set, and the share of the articles' own questions whose article is among the first three."""

    mrr: dict[str, float]
    top: float

    @property
    def mean(self) -> float:
        """The mean over the sets, which is what better weights raise."""
        return statistics.mean(self.mrr.values())

    def loss_against(self, other: Figures) -> float:
        """Return the most that any figure lies below that of `other`."""
        return max(other.top - self.top, *(other.mrr[name] - value for name, value in self.mrr.items()))


@dataclass(frozen=True, slots=True)
class Change:
    """One weight with another value, and what it came to."""

    name: str
    value: float
    figures: Figures


class Trial:
    """A build with its postings in memory, asked with any weights; Whoosh is written and read once."""

    def __init__(self, index: Path, id_: str, articles: Sequence[Article], words: vocabulary.Vocabulary, asked: Sequence[Asked]) -> None:
        """Build `articles` below `index`, which builds of other trials may share."""
        write_build(index, id_, articles, words)
        self._published = open_build(index, id_)
        self._postings = list(whoosh_backend.postings(self._published.folder / "whoosh"))
        self._asked = asked

    def ranks(self, weights: Weights) -> list[int]:
        """Return for each question the rank of the first article that answers it, 0 when none is among the first ten."""
        fields = {field.name: field for field in fields_of(weights)}
        with TemporaryDirectory(prefix="kb-weights-") as temporary, as_if(weights):
            folder = Path(temporary) / "impacts"
            impacts.write(folder, (replace(postings, field=fields[postings.field.name]) for postings in self._postings))
            self._published.backend.close()
            self._published.backend = ImpactsBackend(folder)
            return [self._rank(text, relevant) for text, relevant in self._asked]

    def _rank(self, text: str, relevant: Collection[str]) -> int:
        return next((rank for rank, id_ in enumerate(self._published.articles_for(text, DEPTH), 1) if id_ in relevant), 0)


def present() -> Weights:
    """Return the weights as ranking.py has them."""
    of_fields = {f"{field.name}.{part}": float(getattr(field, part)) for field in ranking.FIELDS for part in PARTS}
    return of_fields | {name: float(getattr(ranking, name)) for name in CONSTANTS}


def fields_of(weights: Weights) -> list[ranking.Field]:
    """Return ranking.FIELDS with these weights."""
    parts = ([weights[f"{field.name}.{part}"] for part in PARTS] for field in ranking.FIELDS)
    return [replace(field, weight=weight, k1=k1, b=b) for field, (weight, k1, b) in zip(ranking.FIELDS, parts, strict=True)]


@contextmanager
def as_if(weights: Weights) -> Iterator[None]:
    """Let ranking.py have these constants for a while; they are read at each question, the fields only at the build."""
    before = {name: getattr(ranking, name) for name in CONSTANTS}
    try:
        for name in CONSTANTS:
            setattr(ranking, name, weights[name])
        yield
    finally:
        for name, value in before.items():
            setattr(ranking, name, value)


def neighbours(name: str, value: float) -> list[float]:
    """Return the other values that are tried for a weight."""
    part = name.rpartition(".")[2]
    found = [value - STEP, value + STEP] if part == "b" else [value * factor for factor in FACTORS]
    if part in SHARES:
        found = [min(1.0, max(0.0, one)) for one in found]
    return [near for near in (round(one, 3) for one in found) if near != value]


def measure(trials: dict[str, list[Trial]], weights: Weights) -> Figures:
    """Return what the trials of each set, the articles among them, come to with these weights. Each set has at least one question."""
    ranks = {name: [rank for trial in of_set for rank in trial.ranks(weights)] for name, of_set in trials.items()}
    mrr = {name: statistics.mean(1 / rank if rank else 0.0 for rank in found) for name, found in ranks.items()}
    return Figures(mrr, statistics.mean(0 < rank <= TOP for rank in ranks[ARTICLES]))


def effects(measured: Callable[[Weights], Figures], weights: Weights) -> list[Change]:
    """Return each weight changed by itself, the others being as they are."""
    return [Change(name, near, measured(weights | {name: near})) for name, value in weights.items() for near in neighbours(name, value)]


def better(measured: Callable[[Weights], Figures], weights: Weights, floor: Figures, changes: Sequence[Change]) -> Weights:
    """Return the weights with those changes that together raise the mean while no figure falls below `floor` by more than the tolerance."""
    best = measured(weights).mean
    for change in sorted((one for one in changes if one.figures.mean > best), key=lambda one: -one.figures.mean):
        tried = weights | {change.name: change.value}
        figures = measured(tried)
        if figures.mean >= best + LEAST and figures.loss_against(floor) <= TOLERANCE:
            weights, best = tried, figures.mean
    return weights


def report(weights: Weights, figures: Figures, changes: Sequence[Change]) -> str:
    """Return the figures of the weights, and below them by how much each change raises or lowers each."""
    named = [(f"{change.name} {weights[change.name]:g} → {change.value:g}", change.figures) for change in changes]
    return _table(figures, named)


def _table(before: Figures, others: Sequence[tuple[str, Figures]]) -> str:
    columns = _columns(before)
    rows = [("as it is", *(f"{value:.4f}" for value in columns.values()))]
    rows += [(name, *(f"{value - columns[column]:+.4f}" for column, value in _columns(figures).items())) for name, figures in others]
    return table(("weights", *columns), rows)


def _columns(figures: Figures) -> dict[str, float]:
    return {"mean": figures.mean, **{f"{name} MRR": value for name, value in figures.mrr.items()}, f"{ARTICLES} top {TOP}": figures.top}


def proposal(before: Weights, after: Weights) -> str:
    """Return what to write into ranking.py."""
    return ", ".join(f"{name} {value:g} → {after[name]:g}" for name, value in before.items() if after[name] != value)


@click.command()
@click.argument("sets", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--articles", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT / "articles", help="Folder of articles.")
@click.option("--rounds", type=click.IntRange(1), default=1, show_default=True, help="Searches, each from the weights that the one before proposed.")
def main(sets: tuple[Path, ...], articles: Path, rounds: int) -> None:
    """Show what each weight of indexer/ranking.py does on the retrieval SETS (BEIR layout) and the articles, and propose better ones."""
    words = vocabulary.load(articles)
    with TemporaryDirectory(prefix="kb-weights-") as temporary:
        index = Path(temporary)
        trials = {folder.resolve().name: [Trial(index, folder.resolve().name, documents(folder), words, judged(folder))] for folder in sets}
        folds = enumerate(without_one_wording(read_articles(articles)))
        trials[ARTICLES] = [Trial(index, f"fold-{turn}", kept, words, [(text, [id_]) for text, id_ in asked]) for turn, (kept, asked) in folds]
        weights = before = present()
        measured = partial(measure, trials)
        as_they_are = figures = measured(before)
        for number in range(1, rounds + 1):
            changes = effects(measured, weights)
            click.echo(f"\nround {number}: each weight changed by itself\n\n{report(weights, figures, changes)}")
            proposed = better(measured, weights, as_they_are, changes)
            if proposed == weights:
                click.echo(f"\nno change raises the mean by {LEAST:g} or more without lowering a figure by more than {TOLERANCE:g}")
                break
            weights, figures = proposed, measured(proposed)
            click.echo(f"\nproposed: {proposal(before, weights)}\n\n{_table(as_they_are, [('together', figures)])}")


if __name__ == "__main__":
    main()
