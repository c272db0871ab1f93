"""`python -m bench.clusters`: fit what tickets are joined by (kb/tickets/likeness.toml), say how right it is, and how long joining takes.

The model is fitted on the labelled pairs of tests/golden/clusters.toml, on wordings of different pairs there, and on similar questions of different articles.
The last two are wishes apart nearly all, and a ticket is looked for among many of them, so that they are held against the model with much weight.
tests/golden/clusters_second.toml and clusters_third.toml are reported and never fitted on.
"""

from __future__ import annotations

import random
import statistics
import time
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sqlalchemy import insert

from bench.folds import read_articles
from indexer import vocabulary
from indexer.build import write_build
from indexer.published import open_build
from kb.db import Database
from kb.tickets.clusters import open_ticket_for, reader_of, wording_of
from kb.tickets.likeness import MODEL, Model, contradiction, features, likeness
from kb.tickets.models import Phrasing, PhrasingTerm, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from indexer.published import Published
    from kb.tickets.wish import Wish

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "kb" / "tickets" / "likeness.toml"
APART = 150.0
"""What all wordings of different pairs weigh together, and all questions of different articles, where a labelled pair weighs 1."""
REGULARISATION = 3.0
"""scikit-learn's C: the higher, the weaker."""
FOLDS, TURNS = 5, 5
PHRASINGS = 50_000
SETS = ("clusters", "clusters_second", "clusters_third")


class Pair(NamedTuple):
    """Two wordings and whether they want the same."""

    one: Wish
    other: Wish
    same: bool


def labelled(path: Path) -> list[tuple[str, str, str]]:
    """Return the label and the wordings of each pair of a set."""
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return [(label, *pair) for label in ("same", "hard", "different") for pair in found[label]]


def apart(wishes: Sequence[tuple[object, Wish]]) -> list[Pair]:
    """Return all pairs of wishes of different kinds that share a sound or a name, and neither contradict each other nor say the same."""
    holding: dict[object, list[int]] = {}
    for at, (_, wish) in enumerate(wishes):
        for shared in wish.sounds | wish.names:
            holding.setdefault(shared, []).append(at)
    near = sorted({pair for places in holding.values() for pair in combinations(places, 2)})
    pairs = [Pair(wishes[one][1], wishes[other][1], same=False) for one, other in near if wishes[one][0] != wishes[other][0]]
    return [pair for pair in pairs if not contradiction(pair.one, pair.other) and _names(pair.one) != _names(pair.other)]


def _names(wish: Wish) -> frozenset[str]:
    return frozenset(word.text for word in wish.words)


def _rows(pairs: Iterable[Pair]) -> np.ndarray:
    return np.array([list(features(pair.one, pair.other).values()) for pair in pairs])


def fit(pairs: Sequence[Pair], others: Sequence[Sequence[Pair]]) -> dict[str, float]:
    """Return coefficients by feature, and the intercept, for pairs that do not contradict each other, but by the list of opposites: none is whole."""
    open_ = [pair for pair in pairs if not contradiction(_unlisted(pair.one), _unlisted(pair.other))]
    rows = np.vstack([_rows(open_), *map(_rows, filter(None, others))])
    outcomes = [pair.same for pair in open_] + [False] * sum(map(len, others))
    weights = [1.0] * len(open_) + [APART / len(group) for group in others for _ in group]
    fitted = LogisticRegression(C=REGULARISATION, max_iter=5000).fit(rows, outcomes, sample_weight=weights)
    names = list(features(pairs[0].one, pairs[0].other))
    return {"intercept": round(float(fitted.intercept_[0]), 2), **{name: round(float(value), 2) for name, value in zip(names, fitted.coef_[0], strict=True)}}


def _unlisted(wish: Wish) -> Wish:
    return replace(wish, named={})


def cross_validated(pairs: Sequence[Pair], others: Sequence[Sequence[Pair]]) -> np.ndarray:
    """Return for each pair its likeness, as if no opposites were listed, by models that were fitted without it, once for each turn."""
    found = np.zeros((TURNS, len(pairs)))
    for turn in range(TURNS):
        for kept, left in StratifiedKFold(FOLDS, shuffle=True, random_state=turn).split(pairs, [pair.same for pair in pairs]):
            model = Model(fit([pairs[at] for at in kept], others), MODEL.joined, MODEL.shown)
            found[turn, left] = [likeness(_unlisted(pairs[at].one), _unlisted(pairs[at].other), model) for at in left]
    return found


def right(scores: np.ndarray, pairs: Sequence[Pair], least: float) -> tuple[float, float, int]:
    """Return precision and recall of joining from `least` on, and how many would be joined wrongly."""
    same = np.array([pair.same for pair in pairs])
    joined = scores >= least
    return float((joined & same).sum() / max(joined.sum(), 1)), float((joined & same).sum() / same.sum()), int((joined & ~same).sum())


class Sets(NamedTuple):
    """The labelled pairs that are fitted on, those that are not, and the two kinds of pairs that are wishes apart."""

    first: list[Pair]
    second: list[Pair]
    third: list[Pair]
    crossed: list[Pair]
    questions: list[Pair]


def sets(published: Published, golden: Path) -> Sets:
    """Read every set by one build's vocabulary."""
    read = reader_of(published).read
    first, second, third = ([Pair(read(one), read(other), label == "same") for label, one, other in labelled(golden / f"{name}.toml")] for name in SETS)
    crossed = apart([(at, wish) for at, pair in enumerate(first) for wish in (pair.one, pair.other)])
    asked = [(article.id, read(text)) for article in published.articles.values() for text in (*article.questions, article.title)]
    return Sets(first, second, third, crossed, apart(asked))


def scored(pairs: Iterable[Pair], model: Model) -> np.ndarray:
    """Return the likeness of each pair."""
    return np.array([likeness(pair.one, pair.other, model) for pair in pairs])


def report(found: Sets, model: Model) -> str:
    """Return precision and recall at the model's threshold and around it, and how many wishes apart it would join."""
    crossed, questions = scored(found.crossed, model), scored(found.questions, model)
    validated = cross_validated(found.first, [found.crossed, found.questions])
    lines = [f"joined from {model.joined} on, shown to agents from {model.shown} on; {model.coefficients}"]
    lines.append(
        f"{'from':>6}{'clusters P':>12}{'R':>7}{'wrong':>7}{'validated P':>13}{'R':>7}"
        f"{'second P':>10}{'R':>7}{'wrong':>7}{'third P':>10}{'R':>7}{'wrong':>7}{'crossed':>9}{'questions':>11}"
    )
    for least in sorted({0.5, 0.6, 0.7, 0.8, 0.9, 0.95, model.joined}):
        first, second, third = (right(scored(pairs, model), pairs, least) for pairs in (found.first, found.second, found.third))
        precision, recall = (statistics.mean(right(turn, found.first, least)[at] for turn in validated) for at in (0, 1))
        figures = f"{least:6}{first[0]:12.3f}{first[1]:7.3f}{first[2]:7}{precision:13.3f}{recall:7.3f}"
        figures += "".join(f"{judged[0]:10.3f}{judged[1]:7.3f}{judged[2]:7}" for judged in (second, third))
        lines.append(figures + f"{(crossed >= least).sum():9}{(questions >= least).sum():11}")
    lines.append(f"crossed: {len(crossed):,} wordings of different pairs that share a sound; questions: {len(questions):,} of different articles")
    return "\n".join(lines)


def as_toml(model: Model) -> str:
    """Return the file that `Model.load` reads."""
    table = "\n".join(f"{name} = {value}" for name, value in model.coefficients.items())
    return f"""# The model behind kb/tickets/likeness.py, fitted by
#     python -m bench.clusters --write
# The thresholds are chosen by hand: `joined` for few wrong joins, `shown` for what an agent should look at.

[coefficients]
{table}

[thresholds]
joined = {model.joined}
shown = {model.shown}
"""


def mixed(texts: Sequence[str], count: int, seed: int = 7) -> list[str]:
    """Return `count` different wordings made of the halves of others, so that they share words as much as people's do."""
    random_ = random.Random(seed)  # noqa: S311 - a bench wants the same wordings each time
    found: dict[str, None] = {}
    while len(found) < count:
        one, other = random_.sample(texts, 2)
        found[
            one[: len(one) // 2 + random_.randint(-1, 2)]
            + other[len(other) // 2 + random_.randint(-1, 2) :]
            + random_.choice(("", "", "啊", str(random_.randint(1, 99))))
        ] = None
    return list(found)


def fill(db: Database, published: Published, texts: Sequence[str], now: datetime) -> None:
    """Store an open ticket with one wording for each text."""
    with db.write() as session:
        for number, text in enumerate(texts, 1001):
            wording = wording_of(published, text)
            columns = {
                "question": text,
                "opened_as": {},
                "opened_at": now,
                "changed_at": now,
                "state": "new",
                "open": True,
                "people": 1,
                "waiting": 1,
                "version": 0,
            }
            empty = dict.fromkeys(("assignee", "module", "category", "priority", "closed_as", "suggested"), "")
            session.execute(insert(Ticket), [{"number": number, **columns, **empty}])
            phrasing = {
                "id": number,
                "ticket_number": number,
                "text": text,
                "key": wording.key,
                "terms": list(wording.terms),
                "asked": 1,
                "first_at": now,
                "last_at": now,
            }
            session.execute(insert(Phrasing), [phrasing])
            if wording.terms:
                session.execute(insert(PhrasingTerm), [{"term": term, "phrasing_id": number} for term in wording.terms])


def joining(published: Published, texts: Sequence[str], phrasings: int, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Return how many milliseconds each of these wordings took from its text to the ticket that it joins, or to none, among so many others."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    with TemporaryDirectory(prefix="kb-clusters-") as temporary:
        db = Database(f"sqlite:///{temporary}/kb.sqlite3")
        db.upgrade(now)
        fill(db, published, mixed(texts, phrasings), now)
        taken = []
        with db.read() as session:
            for text in texts:
                begun = clock()
                open_ticket_for(session, published, wording_of(published, text))
                taken.append(1000 * (clock() - begun))
        db.disconnect()
    return taken


@click.command()
@click.option("--articles", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT / "articles", help="Folder of articles.")
@click.option("--golden", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT / "tests" / "golden", help="Folder of labelled pairs.")
@click.option("--phrasings", default=PHRASINGS, show_default=True, help="Wordings among which joining is timed; 0 leaves it out.")
@click.option("--write", is_flag=True, help="Write the fitted model to kb/tickets/likeness.toml.")
def main(articles: Path, golden: Path, phrasings: int, write: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Fit the model by which tickets are joined, and report on it."""
    with TemporaryDirectory(prefix="kb-clusters-") as temporary:
        write_build(Path(temporary), "fit", read_articles(articles), vocabulary.load(articles))
        with open_build(Path(temporary), "fit") as published:
            found = sets(published, golden)
            click.echo(f"the model as it is: {report(found, MODEL)}")
            model = Model(fit(found.first, [found.crossed, found.questions]), MODEL.joined, MODEL.shown)
            if model != MODEL:
                click.echo(f"\nthe model fitted now: {report(found, model)}")
            if write:
                TARGET.write_text(as_toml(model), encoding="utf-8")
            if phrasings:
                texts = [text for _, *pair in labelled(golden / f"{SETS[0]}.toml") for text in pair]
                taken = sorted(joining(published, texts, phrasings))
                middle, late = statistics.median(taken), taken[int(0.95 * len(taken))]
                click.echo(f"\njoining among {phrasings:,} wordings: p50 {middle:.1f} ms, p95 {late:.1f} ms, most {taken[-1]:.1f} ms")


if __name__ == "__main__":
    main()
