"""`python -m bench.verdict SET...`: fit the model of the verdict (kb/search/verdict.toml), and say what it then gets right.

A SET is a folder in BEIR layout with queries_unanswerable.jsonl. The articles are a set too: each similar question is asked of a build without that wording
(answerable) and of a build without its article (removed_doc); the sets' other_domain queries are asked of them as well. Every set weighs the same, and in
each the answerable and the unanswerable do. Nothing of a set is used but these figures; tests/golden/second.toml is never fitted on, only reported.
"""

from __future__ import annotations

import json
import tomllib
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
import numpy as np
from sklearn.linear_model import LogisticRegression

from bench.folds import ARTICLES, FOLDS, read_articles, without_one_wording
from indexer import vocabulary
from indexer.build import write_build
from indexer.evaluate import auroc, documents, judged, unanswerable
from indexer.published import Published, open_build
from kb.search.answer import weigh
from kb.search.answerability import MODEL, Evidence, Model, Verdict, decide, specific_features, subject_features

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from indexer.article import Article

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "kb" / "search" / "verdict.toml"
ANSWERABLE, REMOVED, OTHER = "answerable", "removed_doc", "other_domain"
KEPT = 0.925
"""Share of each set's answerable questions that must not come out unanswered: it decides the lower threshold."""
WEIGHT = 300
"""What all examples of one outcome in one set weigh together against the models' regularisation."""
REGULARISATION = 10.0
"""scikit-learn's C: the higher, the weaker."""


@dataclass(frozen=True, slots=True)
class Row:
    """The evidence for one question of a set, and what is known of it. Rows of a set that is not `fitted` are only reported."""

    set_: str
    kind: str
    evidence: Evidence
    fitted: bool = True

    @property
    def golden(self) -> bool:
        """Tell whether it is one of the golden questions."""
        return self.set_.startswith("golden")


def of_set(folder: Path, words: vocabulary.Vocabulary) -> list[Row]:
    """Return the evidence for every judged and every unanswerable query of a set. Raises IndexerError for what is no set."""
    asked = [(ANSWERABLE, text) for text, _ in judged(folder)] + unanswerable(folder)
    return [Row(folder.resolve().name, kind, evidence) for kind, evidence in _asked(documents(folder), words, asked)]


def of_articles(folder: Path, golden: Path, unrelated: Sequence[str]) -> list[Row]:
    """Return the evidence for the articles' own questions and the golden ones. Raises IndexerError when the articles hold errors."""
    articles, words = read_articles(folder), vocabulary.load(folder)
    rows = []
    for turn, (kept, questions) in enumerate(without_one_wording(articles)):
        rows += [Row(ARTICLES, *found) for found in _asked(kept, words, [(ANSWERABLE, text) for text, _ in questions])]
        left = [one for at, one in enumerate(articles) if at % FOLDS != turn]
        rows += [Row(ARTICLES, *found) for found in _asked(left, words, [(REMOVED, text) for one in articles[turn::FOLDS] for text in one.questions])]
    rows += [Row(ARTICLES, *found) for found in _asked(articles, words, [(OTHER, text) for text in unrelated])]
    for name, fitted in (("questions", True), ("second", False)):
        written = tomllib.loads((golden / f"{name}.toml").read_text(encoding="utf-8"))
        asked = [(ANSWERABLE, one if isinstance(one, str) else one[0]) for one in written["answered"]] + [(REMOVED, one) for one in written["unanswered"]]
        rows += [Row(f"golden {name}", *found, fitted) for found in _asked(articles, words, asked)]
    return rows


def _asked(corpus: Sequence[Article], words: vocabulary.Vocabulary, asked: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Evidence]]:
    with TemporaryDirectory(prefix="kb-verdict-") as temporary:
        write_build(Path(temporary), "fit", corpus, words)
        with open_build(Path(temporary), "fit") as published:
            yield from ((kind, _evidence(published, text)) for kind, text in asked)


def _evidence(published: Published, text: str) -> Evidence:
    question = published.read(text)
    return weigh(published, question, published.search(question, limit=50))[0]


def fit(rows: Sequence[Row]) -> Model:
    """Return the model that these rows ask for; the upper threshold and its coverage stay as they are.

    There must be an answerable, a removed_doc and an other_domain question that is none of the golden ones.
    """
    subject = _logistic([(row, subject_features(row.evidence), row.kind != OTHER) for row in rows if not row.golden])
    specific = _logistic([(row, specific_features(row.evidence), row.kind == ANSWERABLE) for row in rows if row.kind != OTHER])
    model = replace(MODEL, subject=subject, specific=specific, weak=0.0)
    scores = _scores(rows, model)
    kept = [np.quantile(scores[set_, kind], 1 - KEPT) for set_, kind in scores if kind == ANSWERABLE and set_ != ARTICLES]
    return replace(model, weak=round(float(min(kept)), 3))


def _logistic(examples: Sequence[tuple[Row, dict[str, float], bool]]) -> dict[str, float]:
    """Return coefficients by feature, and the intercept. In each set both outcomes weigh the same."""
    sizes: dict[tuple[str, bool], int] = defaultdict(int)
    for row, _, outcome in examples:
        sizes[row.set_, outcome] += 1
    names = list(examples[0][1])
    features = np.array([[found[name] for name in names] for _, found, _ in examples])
    weights = [WEIGHT / sizes[row.set_, outcome] for row, _, outcome in examples]
    fitted = LogisticRegression(C=REGULARISATION, max_iter=3000).fit(features, [outcome for _, _, outcome in examples], sample_weight=weights)
    return {"intercept": round(float(fitted.intercept_[0]), 2), **{name: round(float(value), 2) for name, value in zip(names, fitted.coef_[0], strict=True)}}


def _scores(rows: Iterable[Row], model: Model) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        found[row.set_, row.kind].append(decide(row.evidence, model).score)
    return found


def report(rows: Sequence[Row], model: Model) -> str:
    """Return the model and, for each set and kind, the verdicts in per cent and the AUROC against the set's answerable questions."""
    lines = [json.dumps({"subject": model.subject, "specific": model.specific, "weak": model.weak})]
    lines.append(f"{'set':18}{'kind':14}{'questions':>9}{'answered':>10}{'weak':>8}{'unanswered':>12}{'AUROC':>8}")
    scores = _scores(rows, model)
    for (set_, kind), values in scores.items():
        verdicts = [decide(row.evidence, model).verdict for row in rows if (row.set_, row.kind) == (set_, kind)]
        shares = [100 * verdicts.count(verdict) / len(verdicts) for verdict in (Verdict.ANSWERED, Verdict.WEAK, Verdict.UNANSWERED)]
        ranked = "" if kind == ANSWERABLE else f"{auroc(scores[set_, ANSWERABLE], values):8.4f}"
        lines.append(f"{set_:18}{kind:14}{len(values):9}{shares[0]:10.1f}{shares[1]:8.1f}{shares[2]:12.1f}{ranked}")
    return "\n".join(lines)


def as_toml(model: Model, sets: Iterable[Path]) -> str:
    """Return the file that `Model.load` reads."""

    def table(values: dict[str, float]) -> str:
        return "\n".join(f"{name} = {value}" for name, value in values.items())

    return f"""# The model behind kb/search/answerability.py, fitted by
#     python -m bench.verdict {" ".join(folder.resolve().name for folder in sets)} --write
# The thresholds `answered`, `coverage` and `telling` are chosen by hand; `weak` keeps {100 * KEPT:.1f} % of every set's answerable questions.

[subject]
{table(model.subject)}

[specific]
{table(model.specific)}

[thresholds]
answered = {model.answered}
coverage = {model.coverage}
telling = {model.telling}
weak = {model.weak}
"""


@click.command()
@click.argument("sets", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--articles", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT / "articles", help="Folder of articles.")
@click.option("--golden", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT / "tests" / "golden", help="Folder of golden questions.")
@click.option("--write", is_flag=True, help="Write the fitted model to kb/search/verdict.toml.")
def main(sets: tuple[Path, ...], articles: Path, golden: Path, write: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Fit the model of the verdict on the retrieval SETS (BEIR layout), the articles and the golden questions."""
    words = vocabulary.load(articles)
    rows = [row for folder in sets for row in of_set(folder, words)]
    rows += of_articles(articles, golden, [text for folder in sets for kind, text in unanswerable(folder) if kind == OTHER])
    click.echo(f"\nthe model as it is: {report(rows, MODEL)}")
    model = fit([row for row in rows if row.fitted])
    click.echo(f"\nthe model fitted now: {report(rows, model)}")
    if write:
        TARGET.write_text(as_toml(model, sets), encoding="utf-8")


if __name__ == "__main__":
    main()
