"""The command line. With --json standard output holds one JSON value and everything else goes to standard error; exit 0 ok, 1 no, 2 usage."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy.exc import SQLAlchemyError

from indexer import build as building
from indexer import evaluate as evaluating
from indexer import lint as linting
from indexer import segment
from indexer.errors import ArticlesRejectedError, IndexerError
from indexer.published import EVERYONE, current_id
from indexer.source import read_folder
from kb import logs
from kb import serve as serving
from kb.accounts import sign_in
from kb.accounts.roles import Role
from kb.config import Config
from kb.errors import KbError
from kb.search.answer import answer
from kb.search.api import as_json
from kb.serve import say
from kb.services import Services, utc_now
from kb.tickets import lifecycle
from kb.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from indexer.published import Published

as_json_option = click.option("--json", "as_json_", is_flag=True, help="Print one JSON value on standard output.")


def print_json(value: object) -> None:
    """Print one JSON value."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def services_now() -> Services:
    """Return the services for the settings in the environment, with the data folder made."""
    config = Config.from_env().prepare()
    segment.use_cache(config.data / "jieba")
    return Services.of(config)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Zhida 知答: a knowledge base in which every question without an answer becomes a ticket."""
    logs.configure()


@cli.command()
@click.option("--host", help="Address to listen on (KB_HOST).")
@click.option("--port", type=int, help="Port to listen on (KB_PORT).")
@click.option("--workers", type=int, help="Web processes (KB_WORKERS).")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Build what is missing, migrate the database, and serve web and worker until stopped."""
    for name, value in (("KB_HOST", host), ("KB_PORT", port), ("KB_WORKERS", workers)):
        if value is not None:
            os.environ[name] = str(value)
    services = services_now()
    config = services.config
    serving.require_free_port(config)
    serving.upgrade(services)
    serving.build_if_changed(services)
    serving.announce(services)
    serving.supervise(config)


@cli.command()
def worker() -> None:
    """Build when articles change and forget what has expired, until stopped."""
    Worker(services_now()).run()


@cli.group()
def index() -> None:
    """Build and look at the index."""


@index.command("build")
@click.option("--articles", type=click.Path(path_type=Path), help="Folder of the articles (KB_ARTICLES).")
@as_json_option
def index_build(articles: Path | None, as_json_: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Build the index of the articles and publish it. The live index stays when anything is wrong.

    A running `kb serve` goes on watching KB_ARTICLES: set that to build from another folder for good.
    """
    services = services_now()
    config = services.config
    try:
        outcome = building.build((articles or config.articles).absolute(), config.index, services.now(), progress=lambda step: say(f"{step} …"))
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
    config = services_now().config
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
    build = building.rollback(services_now().config.index)
    if as_json_:
        print_json({"build": build})
    else:
        say(f"published {build} again")


@cli.command()
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


@cli.command()
@click.argument("text")
@click.option("--limit", type=click.IntRange(1, 50), default=10, show_default=True, help="Hits at most.")
@click.option("--module", help="Only this module.")
@as_json_option
def search(text: str, limit: int, module: str | None, as_json_: bool) -> None:  # noqa: FBT001
    """Search as the product does and print what `GET /api/v1/search` would answer."""
    services = services_now()
    published = services.library.current()
    if module and module not in {known.id for known in published.modules}:
        raise click.UsageError(f"there is no module {module}; known: {', '.join(known.id for known in published.modules)}")
    said = answer(published, text, limit=limit, module=module, audience=EVERYONE)
    if as_json_:
        print_json(as_json(said, services.config.base_url))
        return
    click.echo(
        f"{said.verdict} ({said.decision.score:.2f})  matched {'、'.join(said.decision.matched) or '-'}  missing {'、'.join(said.decision.missing) or '-'}"
    )
    for hit in said.hits:
        click.echo(f"  {hit.article.title} › {hit.section.heading or '开头'}  {services.config.base_url}{hit.path}")


@cli.command("eval")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@as_json_option
def eval_(folder: Path, as_json_: bool) -> None:  # noqa: FBT001
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


@cli.group()
def tickets() -> None:
    """Look at the tickets."""


@tickets.command("list")
@as_json_option
def tickets_list(as_json_: bool) -> None:  # noqa: FBT001
    """List all tickets, most people first."""
    services = services_now()
    _require_schema(services)
    with services.db.read() as session:
        rows = [
            {
                "number": ticket.number,
                "state": lifecycle.state(ticket).value,
                "question": ticket.question,
                "followers": len(lifecycle.followers(ticket)),
                "opened_at": ticket.opened_at.isoformat(),
            }
            for ticket in lifecycle.by_demand(lifecycle.newest(session, 1_000_000))
        ]
    if as_json_:
        print_json({"tickets": rows})
        return
    for row in rows:
        click.echo(f"T-{row['number']}  {row['state']:<12} {row['followers']:>4}  {row['question']}")


@cli.group()
def db() -> None:
    """Look after the database."""


@db.command("upgrade")
@as_json_option
def db_upgrade(as_json_: bool) -> None:  # noqa: FBT001
    """Bring the database's schema to this version; it is backed up first."""
    services = services_now()
    backup = serving.upgrade(services)
    if as_json_:
        print_json({"ok": True, "backup": str(backup) if backup else None})
    else:
        say("the database is up to date")


@cli.group()
def user() -> None:
    """Accounts of the people who work here."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What they may do.")
@as_json_option
def user_add(name: str, role: str, as_json_: bool) -> None:  # noqa: FBT001
    """Add an account and print a sign-in link, valid once for 30 minutes."""

    def add(services: Services) -> str:
        with services.db.write() as session:
            return sign_in.new_link(session, sign_in.add_user(session, name, role, services.now()), services.now())

    _print_link(name, add, as_json_=as_json_)


@user.command("link")
@click.argument("name")
@as_json_option
def user_link(name: str, as_json_: bool) -> None:  # noqa: FBT001
    """Print a new sign-in link for an account; earlier links are void."""

    def link(services: Services) -> str:
        with services.db.write() as session:
            found = sign_in.find_user(session, name)
            if found is None:
                raise KbError(f"there is no account {name}; add it with kb user add")
            return sign_in.new_link(session, found, services.now())

    _print_link(name, link, as_json_=as_json_)


def _print_link(name: str, make: Callable[[Services], str], *, as_json_: bool) -> None:
    services = services_now()
    serving.upgrade(services)
    url = f"{services.config.base_url}/sign-in/{make(services)}"
    if as_json_:
        print_json({"name": name, "url": url, "expires_in_s": int(sign_in.LINK_LIFE.total_seconds())})
    else:
        click.echo(url)


def _require_schema(services: Services) -> None:
    if not services.db.ready():
        raise KbError(f"the database {services.db.path()} is missing or of another version; run `kb db upgrade`")


def main() -> None:
    """Run the command line; a known error is one line and exit 1."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Abort:
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)
    except (KbError, IndexerError) as error:
        say(f"kb: {error}")
        sys.exit(1)
    except OSError as error:
        say(f"kb: {error.filename or 'the disk'}: {error.strerror}; check KB_DATA, its rights and its space")
        sys.exit(1)
    except SQLAlchemyError as error:
        say(
            f"kb: the database cannot be used ({type(error).__name__}: {str(getattr(error, 'orig', error)).splitlines()[0]}); check KB_DATA and KB_DATABASE_URL"
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
