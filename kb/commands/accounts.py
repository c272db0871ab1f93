"""`kb user`: accounts and their sign-in links."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kb.accounts import people, sign_in
from kb.accounts.audit import COMMAND_LINE
from kb.accounts.roles import Role
from kb.commands.database import DatabaseCommand, services_now, upgrade, writing
from kb.console import as_json_option, print_json, say
from kb.errors import KbError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from kb.accounts.models import User
    from kb.services import Services


@click.group()
def user() -> None:
    """Accounts of the people who work here."""


@user.command("add", cls=DatabaseCommand)
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What they may do.")
@click.option("--mail", default="", help="Where their messages go.")
@as_json_option
def user_add(name: str, role: str, mail: str, as_json_: bool) -> None:  # noqa: FBT001
    """Add an account and print a sign-in link, valid once for 30 minutes."""
    with writing() as (services, session):
        token = people.add(session, COMMAND_LINE, name, role, mail=mail, now=services.now())
    _print_link(services, name, token, as_json_=as_json_)


@user.command("link", cls=DatabaseCommand)
@click.argument("name")
@as_json_option
def user_link(name: str, as_json_: bool) -> None:  # noqa: FBT001
    """Print a new sign-in link for an account; earlier links are void."""
    with writing() as (services, session):
        token = people.link(session, COMMAND_LINE, _named(session, name), services.now())
    _print_link(services, name, token, as_json_=as_json_)


@user.command("list", cls=DatabaseCommand)
@as_json_option
def user_list(as_json_: bool) -> None:  # noqa: FBT001
    """List the accounts."""
    services = services_now()
    upgrade(services)
    with services.db.read() as session:
        rows = [
            {
                "name": row.user.name,
                "role": row.user.role,
                "mail": row.user.mail,
                "level": row.user.level,
                "disabled": row.user.disabled_at is not None,
                "seen_at": row.seen_at.isoformat() if row.seen_at else None,
            }
            for row in people.everybody(session, services.now())
        ]
    if as_json_:
        print_json({"users": rows})
        return
    for row in rows:
        click.echo(f"{row['name']}  {row['role']}  {row['mail'] or '-'}{'  disabled' if row['disabled'] else ''}")


@user.command("disable", cls=DatabaseCommand)
@click.argument("name")
@as_json_option
def user_disable(name: str, as_json_: bool) -> None:  # noqa: FBT001
    """Let nobody sign in to an account any more; its sessions end at once."""
    _step(people.disable, name, disabled=True, as_json_=as_json_)


@user.command("enable", cls=DatabaseCommand)
@click.argument("name")
@as_json_option
def user_enable(name: str, as_json_: bool) -> None:  # noqa: FBT001
    """Let the owner of a disabled account sign in again."""
    _step(people.enable, name, disabled=False, as_json_=as_json_)


def _step(step: Callable[[Session, str, User, datetime], None], name: str, *, disabled: bool, as_json_: bool) -> None:
    with writing() as (services, session):
        step(session, COMMAND_LINE, _named(session, name), services.now())
    if as_json_:
        print_json({"name": name, "disabled": disabled})
    else:
        say(f"{name} can{' no longer' if disabled else ''} sign in")


def _named(session: Session, name: str) -> User:
    found = sign_in.find_user(session, name)
    if found is None:
        raise KbError(f"there is no account {name}; add it with kb user add")
    return found


def _print_link(services: Services, name: str, token: str, *, as_json_: bool) -> None:
    url = f"{services.config.base_url}/sign-in/{token}"
    if as_json_:
        print_json({"name": name, "url": url, "expires_in_s": int(sign_in.LINK_LIFE.total_seconds())})
    else:
        click.echo(url)
