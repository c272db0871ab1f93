"""`kb index` and `kb lint`: from articles to the published index."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from indexer import build as building
from indexer import lint as linting
from indexer.errors import ArticlesRejectedError, IndexerError
from indexer.published import current_id
from indexer.source import read_folder
from kb.clock import utc_now
from kb.commands.environment import config_now
from kb.config import Config
from kb.console import as_json_option, print_json, say


@click.group()
def index() -> None:
    """Build and look at the index."""


@index.command("build")
@click.option("--articles", type=click.Path(path_type=Path), help="Folder of the articles (KB_ARTICLES).")
@as_json_option
def index_build(articles: Path | None, as_json_: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Build the index of the articles and publish it. The live index stays when anything is wrong.

    A running `kb serve` goes on watching KB_ARTICLES: set that to build from another folder for good.
    """
    config = config_now()
    try:
        outcome = building.build((articles or config.articles).absolute(), config.index, utc_now(), progress=lambda step: say(f"{step} …"))
    except ArticlesRejectedError as error:
        for problem in error.problems:
            say(str(problem))
        if as_json_:
            print_json({"ok": False, "problems": [str(problem) for problem in error.problems]})
        raise SystemExit(1) from error
    if as_json_:
        print_json(asdict(outcome))
    else:
        say(f"published {outcome.build}: {outcome.articles} articles, {outcome.sections} sections, {len(outcome.problems)} warnings")


@index.command("status")
@as_json_option
def index_status(as_json_: bool) -> None:  # noqa: FBT001
    """Show the published build, whether it is whole, and what the last build came to."""
    config = config_now()
    last = building.last_outcome(config.index)
    status: dict[str, Any] = {"build": current_id(config.index), "scorer": config.scorer, "whole": False, "problem": "", "last": asdict(last) if last else None}
    try:
        with building.open_published(config.index, config.scorer) as published:
            status |= {"whole": True, "articles": len(published.articles), "sections": len(published.sections)}
            status |= {"scorer": published.scorer, "scorer_note": published.scorer_note}
    except IndexerError as error:
        status["problem"] = str(error)
    if as_json_:
        print_json(status)
    else:
        click.echo(f"build    {status['build'] or 'none'}{'' if status['whole'] else '  ' + status['problem']}")
        if status["whole"]:
            click.echo(f"holds    {status['articles']} articles, {status['sections']} sections; ranked by {status['scorer']}")
            if status["scorer_note"]:
                click.echo(f"         {status['scorer_note']}")
        if last:
            click.echo(f"last     {'ok' if last.ok else 'FAILED'} at {last.at}")
            for problem in last.problems if not last.ok else ():
                click.echo(f"         {problem}")
    if not status["whole"]:
        raise SystemExit(1)


@index.command("rollback")
@as_json_option
def index_rollback(as_json_: bool) -> None:  # noqa: FBT001
    """Publish the build before this one again. It stays until articles change."""
    build = building.rollback(config_now().index)
    if as_json_:
        print_json({"build": build})
    else:
        say(f"published {build} again")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@as_json_option
def lint(folder: Path | None, as_json_: bool) -> None:  # noqa: FBT001
    """Check the articles of FOLDER (KB_ARTICLES): file, line, rule and remedy of each problem. Exit 1 when there are errors."""
    corpus = linting.read(read_folder(folder or Config.from_env().articles), utc_now().date())
    problems = linting.lint(corpus)
    errors = sum(problem.error for problem in problems)
    if as_json_:
        print_json({"articles": len(corpus.drafts), "errors": errors, "problems": [asdict(problem) for problem in problems]})
    else:
        for problem in sorted(problems, key=lambda one: one.error):  # errors last, where the eye is
            click.echo(str(problem))
        say(f"{len(corpus.drafts)} articles, {errors} errors, {len(problems) - errors} warnings")
    if errors:
        raise SystemExit(1)
