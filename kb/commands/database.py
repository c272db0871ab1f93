"""`kb db`, and what every command over the database stands on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy.exc import SQLAlchemyError

from kb.commands.environment import config_now
from kb.console import as_json_option, print_json, say
from kb.errors import KbError
from kb.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session


def services_now() -> Services:
    """Return the services for the settings in the environment, with the data folder made."""
    return Services.of(config_now())


def upgrade(services: Services) -> Path | None:
    """Bring the database to this version; say and return where the state before is kept."""
    backup = services.db.upgrade(services.now())
    if backup:
        say(f"database migrated; the state before is kept in {backup}")
    return backup


@contextmanager
def writing() -> Iterator[tuple[Services, Session]]:
    """Give the services and a transaction over the database of this version; it is committed at the end, and undone by whatever is raised."""
    services = services_now()
    upgrade(services)
    with services.db.write() as session:
        yield services, session


class DatabaseCommand(click.Command):
    """A command over the database: what goes wrong there is one line with a remedy."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it. Raises KbError when the database cannot be used."""
        try:
            return super().invoke(ctx)
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", error)).splitlines()[0]
            raise KbError(f"the database cannot be used ({type(error).__name__}: {reason}); check KB_DATA and KB_DATABASE_URL") from error


@click.group()
def db() -> None:
    """Look after the database."""


@db.command("upgrade", cls=DatabaseCommand)
@as_json_option
def db_upgrade(as_json_: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Bring the database's schema to this version; it is backed up first."""
    backup = upgrade(services_now())
    if as_json_:
        print_json({"ok": True, "backup": str(backup) if backup else None})
    else:
        say("the database is up to date")
