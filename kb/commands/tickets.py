"""`kb tickets`: the tickets for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kb.commands.database import DatabaseCommand, services_now
from kb.console import as_json_option, print_json
from kb.errors import KbError
from kb.tickets.queue import all_tickets

if TYPE_CHECKING:
    from kb.services import Services


@click.group()
def tickets() -> None:
    """Look at the tickets."""


@tickets.command("list", cls=DatabaseCommand)
@as_json_option
def tickets_list(as_json_: bool) -> None:  # noqa: FBT001
    """List all tickets, most people first."""
    services = services_now()
    _require_schema(services)
    with services.db.read() as session:
        rows = [
            {
                "number": ticket.number,
                "state": ticket.state,
                "question": ticket.question,
                "followers": ticket.people,
                "opened_at": ticket.opened_at.isoformat(),
            }
            for ticket in all_tickets(session)
        ]
    if as_json_:
        print_json({"tickets": rows})
        return
    for row in rows:
        click.echo(f"T-{row['number']}  {row['state']:<12} {row['followers']:>4}  {row['question']}")


def _require_schema(services: Services) -> None:
    if not services.db.ready():
        raise KbError(f"the database {services.db.path()} is missing or of another version; run `kb db upgrade`")
