"""`kb user`: accounts and their sign-in links."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kb.accounts import sign_in
from kb.accounts.roles import Role
from kb.commands.database import DatabaseCommand, services_now, upgrade
from kb.console import as_json_option, print_json
from kb.errors import KbError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kb.services import Services


@click.group()
def user() -> None:
    """Accounts of the people who work here."""


@user.command("add", cls=DatabaseCommand)
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What they may do.")
@as_json_option
def user_add(name: str, role: str, as_json_: bool) -> None:  # noqa: FBT001
    """Add an account and print a sign-in link, valid once for 30 minutes."""

    def add(services: Services) -> str:
        with services.db.write() as session:
            return sign_in.new_link(session, sign_in.add_user(session, name, role, services.now()), services.now())

    _print_link(name, add, as_json_=as_json_)


@user.command("link", cls=DatabaseCommand)
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
    upgrade(services)
    url = f"{services.config.base_url}/sign-in/{make(services)}"
    if as_json_:
        print_json({"name": name, "url": url, "expires_in_s": int(sign_in.LINK_LIFE.total_seconds())})
    else:
        click.echo(url)
