"""`kb eval`: search measured on a retrieval set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from indexer import evaluate as evaluating
from indexer import segment
from kb.config import Config
from kb.console import as_json_option, print_json, say
from kb.search.answer import answer

if TYPE_CHECKING:
    from indexer.published import Published


@click.command("eval")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@as_json_option
def eval_(folder: Path, as_json_: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Measure search on a retrieval set in BEIR layout, through the product's own pipeline."""
    config = Config.from_env()
    segment.use_cache(config.data / "jieba")
    figures = evaluating.evaluate(folder, config.articles, _ask, say, scorer=config.scorer)
    if as_json_:
        print_json(figures)
        return
    for name, value in figures.items():
        click.echo(f"{name:12} {json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value}")


def _ask(published: Published, text: str) -> evaluating.Asked:
    said = answer(published, text)
    return evaluating.Asked(tuple(hit.article.id for hit in said.hits), said.verdict.value, said.decision.score)
