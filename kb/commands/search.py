"""`kb search`: the product's own answer. Neither the database nor the web framework is loaded for it."""

from __future__ import annotations

import click

from indexer.published import EVERYONE, Library
from kb.commands.environment import config_now
from kb.console import as_json_option, print_json
from kb.search.answer import answer, as_json
from kb.search.explain import as_text, explanation


@click.command()
@click.argument("text")
@click.option("--limit", type=click.IntRange(1, 50), default=10, show_default=True, help="Hits at most.")
@click.option("--module", help="Only this module.")
@click.option("--explain", is_flag=True, help="Also say why: how the question was read, what was looked for, and the numbers behind the verdict.")
@as_json_option
def search(text: str, limit: int, module: str | None, explain: bool, as_json_: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Search as the product does and print what `GET /api/v1/search` would answer."""
    config = config_now()
    published = Library(config.index, scorer=config.scorer).current()
    if module and module not in {known.id for known in published.modules}:
        raise click.UsageError(f"there is no module {module}; known: {', '.join(known.id for known in published.modules)}")
    said = answer(published, text, limit=limit, module=module, audience=EVERYONE)
    reasons = explanation(published, said, EVERYONE) if explain else None
    if as_json_:
        print_json(as_json(said, config.base_url) | ({} if reasons is None else {"explain": reasons}))
        return
    click.echo(
        f"{said.verdict} ({said.decision.score:.2f})  matched {'、'.join(said.decision.matched) or '-'}  missing {'、'.join(said.decision.missing) or '-'}"
    )
    for hit in said.hits:
        click.echo(f"  {hit.article.title} › {hit.section.heading or '开头'}  {config.base_url}{hit.path}")
    if reasons is not None:
        click.echo(as_text(reasons))
