"""`kb person`: what is kept about one person, handed over or forgotten."""

from __future__ import annotations

import click

from kb import person as persons
from kb.accounts import audit
from kb.accounts.audit import COMMAND_LINE, Deed
from kb.commands.database import DatabaseCommand, services_now, upgrade, writing
from kb.console import as_json_option, print_json, say
from kb.notifications import messages

_KNOWN_BY = 10
"""Letters of a person's id that stand in the audit log: enough to find an entry again, too few to be the id."""


@click.group()
def person() -> None:
    """Hand over or forget what is kept about one person.

    WHO is the address of one of their tickets (/t/…), the name of an account, or an id as the export shows it.
    """


@person.command("export", cls=DatabaseCommand)
@click.argument("who")
def person_export(who: str) -> None:
    """Print everything that is kept about a person as JSON."""
    with writing() as (services, session):
        person_id = persons.identify(session, who)
        found = persons.export(session, person_id)
        audit.note(session, COMMAND_LINE, Deed.PERSON_EXPORTED, person_id[:_KNOWN_BY], "", services.now())
    print_json(found)


@person.command("delete", cls=DatabaseCommand)
@click.argument("who")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@as_json_option
def person_delete(who: str, yes: bool, as_json_: bool) -> None:  # noqa: FBT001
    """Forget a person: questions, details, contacts and files. It cannot be undone."""
    services = services_now()
    upgrade(services)
    if not yes:
        click.confirm(f"forget everything that is kept about {who}? this cannot be undone", abort=True, err=True)
    with services.db.read() as session:
        found = persons.identify(session, who)
    removed = persons.forget(services.db, services.files, found, services.now())
    messages.tidy_files(services.db, services.config.data)
    with services.db.write() as session:
        audit.note(session, COMMAND_LINE, Deed.PERSON_DELETED, found[:_KNOWN_BY], "", services.now())
    if as_json_:
        print_json({"removed": removed})
    else:
        say("forgotten: " + ", ".join(f"{count} {name}" for name, count in removed.items()))
