"""`kb site`: the applications that embed us, their keys and where their servers are told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from indexer.article import AUDIENCES
from kb.accounts.audit import COMMAND_LINE
from kb.accounts.identity import ALGORITHMS
from kb.commands.database import DatabaseCommand, services_now, upgrade, writing
from kb.config import Config
from kb.console import as_json_option, print_json, say
from kb.db import MAX_ID, Database
from kb.errors import KbError
from kb.widget import registering
from kb.widget.registering import THEMES, TOPICS, Terms, terms_of
from kb.widget.server_keys import Scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import BinaryIO

    from sqlalchemy.orm import Session

    from kb.services import Services
    from kb.widget.models import Site

_name = click.argument("name")
_origins = click.option("--origin", "origins", multiple=True, metavar="URL", help="A page's scheme, host and port, exactly; may be given several times.")
_modules = click.option("--module", "modules", multiple=True, metavar="M", help="Show this module only; may be given several times. All without it.")
_audience = click.option(
    "--audience",
    multiple=True,
    type=click.Choice(AUDIENCES),
    help="What its signed people may read for beside what is for everyone; may be given several times.",
)


class _SiteCommand(DatabaseCommand):
    """A command over the sites that a help centre has: in any other folder it would make a database that no server reads."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it. Raises KbError where there is no database."""
        database = Database(Config.from_env().database_url).path()
        if not database.exists():
            raise KbError(f"there is no database at {database}: set KB_DATA to the folder that the help centre runs with; a new one is made by kb serve")
        return super().invoke(ctx)


@click.group()
def site() -> None:
    """Applications whose pages may embed the widget or whose servers use the API."""


@site.command("add", cls=_SiteCommand)
@_name
@_origins
@click.option("--theme", type=click.Choice(THEMES), default="auto", show_default=True, help="How the widget looks.")
@_modules
@_audience
@click.option("--anonymous/--no-anonymous", default=True, show_default=True, help="Whether people that it does not vouch for may ask.")
@as_json_option
def add(name: str, origins: tuple[str, ...], theme: str, modules: tuple[str, ...], audience: tuple[str, ...], anonymous: bool, as_json_: bool) -> None:  # noqa: FBT001
    """Register a site; its name is public and stands in its pages."""
    terms = Terms(origins, modules, audience, theme, anonymous)

    with writing() as (services, session):
        shown = _as_json(session, registering.add(session, COMMAND_LINE, name, terms, _known(services, modules), services.now()))
    _done(shown, f"the site {name} is registered; its pages carry data-kb={name}", as_json_=as_json_)


@site.command("set", cls=_SiteCommand)
@_name
@_origins
@click.option("--theme", type=click.Choice(THEMES), help="How the widget looks.")
@_modules
@click.option("--all-modules", is_flag=True, help="Show all modules again.")
@_audience
@click.option("--no-audience", is_flag=True, help="Show its signed people no more than everyone.")
@click.option("--anonymous/--no-anonymous", default=None, help="Whether people that it does not vouch for may ask.")
@as_json_option
def set_(
    name: str,
    origins: tuple[str, ...],
    theme: str | None,
    modules: tuple[str, ...],
    all_modules: bool,  # noqa: FBT001
    audience: tuple[str, ...],
    no_audience: bool,  # noqa: FBT001
    anonymous: bool | None,  # noqa: FBT001
    as_json_: bool,  # noqa: FBT001
) -> None:
    """Change what is given here: the origins, modules or audience given take the place of those before."""
    if modules and all_modules:
        raise click.UsageError("give --module or --all-modules, not both")
    if audience and no_audience:
        raise click.UsageError("give --audience or --no-audience, not both")
    given: dict[str, Any] = {"origins": origins, "theme": theme, "modules": modules, "audience": audience, "anonymous": anonymous}
    changes = {key: value for key, value in given.items() if value not in {None, ()}} | ({"modules": ()} if all_modules else {})
    changes |= {"audience": ()} if no_audience else {}

    with writing() as (services, session):
        found = registering.find(session, name)
        registering.change(session, COMMAND_LINE, found, replace(terms_of(found), **changes), _known(services, modules or found.modules), services.now())
        shown = _as_json(session, found)
    _done(shown, f"the site {name} is as you said; every page knows within two seconds", as_json_=as_json_)


@site.command("list", cls=_SiteCommand)
@as_json_option
def list_(as_json_: bool) -> None:  # noqa: FBT001
    """List the sites with their keys and webhooks, without any secret."""
    services = services_now()
    upgrade(services)
    with services.db.read() as session:
        rows = [_as_json(session, one) for one in registering.everything(session)]
    if as_json_:
        print_json({"sites": rows})
        return
    for row in rows:
        click.echo(f"{row['name']}{'  disabled' if row['disabled'] else ''}  {' '.join(row['origins'])}{'' if row['anonymous'] else '  signed only'}")
        for key in row["keys"]:
            click.echo(f"  key {key['kid']}  {key['algorithm']}{'  retired' if key['retired'] else ''}")
        for key in row["server_keys"]:
            click.echo(f"  server-key {key['id']}  {key['label']}  {' '.join(key['scopes'])}  used {key['used_at'] or 'never'}")
        for hook in row["webhooks"]:
            click.echo(f"  webhook {hook['id']}  {hook['url']}  {' '.join(hook['topics'])}")


@site.command("remove", cls=_SiteCommand)
@_name
@as_json_option
def remove(name: str, as_json_: bool) -> None:  # noqa: FBT001
    """Take a site out of use: its pages, tokens and keys are refused. What its people asked is kept, and so is its name."""
    _step(name, registering.disable, f"the site {name} is out of use; kb site restore {name} brings it back", as_json_=as_json_)


@site.command("restore", cls=_SiteCommand)
@_name
@as_json_option
def restore(name: str, as_json_: bool) -> None:  # noqa: FBT001
    """Bring a removed site back into use, with the keys that were not revoked."""
    _step(name, registering.restore, f"the site {name} is in use", as_json_=as_json_)


@site.group("key")
def key() -> None:
    """Keys by which a site vouches for its people; two at once, to change them."""


@key.command("add", cls=_SiteCommand)
@_name
@click.option("--kid", default="", help="What tokens name it by; made up without it.")
@click.option("--alg", "algorithm", type=click.Choice(ALGORITHMS), default="HS256", show_default=True, help="What the site signs with.")
@click.option("--public-key", type=click.File("rb"), help="PEM file of the site's public key, for ES256 and EdDSA.")
@as_json_option
def key_add(name: str, kid: str, algorithm: str, public_key: BinaryIO | None, as_json_: bool) -> None:  # noqa: FBT001
    """Add a signing key; a secret for HS256 is made and printed, this once."""
    pem = public_key.read(10_000).decode("ascii", "replace") if public_key else ""

    with writing() as (services, session):
        made = registering.add_key(session, COMMAND_LINE, registering.find(session, name), algorithm, kid, pem, services.now())
        shown = {"name": name, "kid": made.kid, "algorithm": algorithm, "secret": made.key if algorithm == "HS256" else None}
    _once(shown, "secret", as_json_=as_json_)


@key.command("retire", cls=_SiteCommand)
@_name
@click.argument("kid")
@as_json_option
def key_retire(name: str, kid: str, as_json_: bool) -> None:  # noqa: FBT001
    """Accept no token of a signing key any more, from within a second."""
    _step(name, lambda session, by, found, now: registering.retire_key(session, by, found, kid, now), f"the key {kid} is retired", as_json_=as_json_)


@site.group("server-key")
def server_key() -> None:
    """Keys that a site's server comes in with."""


@server_key.command("add", cls=_SiteCommand)
@_name
@click.argument("label")
@click.option("--scope", "scopes", multiple=True, type=click.Choice([scope.value for scope in Scope]), required=True, help="What it may do; may be repeated.")
@as_json_option
def server_key_add(name: str, label: str, scopes: tuple[str, ...], as_json_: bool) -> None:  # noqa: FBT001
    """Add a server key and print it, this once."""
    with writing() as (services, session):
        secret = registering.add_server_key(session, COMMAND_LINE, registering.find(session, name), label, scopes, services.now())
    _once({"name": name, "key": secret}, "key", as_json_=as_json_)


@server_key.command("revoke", cls=_SiteCommand)
@_name
@click.argument("id_", metavar="ID", type=click.IntRange(1, MAX_ID))
@as_json_option
def server_key_revoke(name: str, id_: int, as_json_: bool) -> None:  # noqa: FBT001
    """Accept a server key no more, at once."""
    _step(name, lambda session, by, found, now: registering.revoke_server_key(session, by, found, id_, now), f"server key {id_} is revoked", as_json_=as_json_)


@site.group("webhook")
def webhook() -> None:
    """Where a site's server is told what happens to its people's questions."""


@webhook.command("add", cls=_SiteCommand)
@_name
@click.argument("url")
@click.option("--topic", "topics", multiple=True, type=click.Choice(tuple(TOPICS)), default=tuple(TOPICS), help="What it is told; all without it.")
@as_json_option
def webhook_add(name: str, url: str, topics: tuple[str, ...], as_json_: bool) -> None:  # noqa: FBT001
    """Add an address and print the secret that signs what goes there, this once."""
    with writing() as (services, session):
        made = registering.add_webhook(session, COMMAND_LINE, registering.find(session, name), url, topics, services.now())
        shown = {"name": name, "id": made.id, "url": made.url, "topics": made.topics, "secret": made.secret}
    _once(shown, "secret", as_json_=as_json_)


@webhook.command("remove", cls=_SiteCommand)
@_name
@click.argument("id_", metavar="ID", type=click.IntRange(1, MAX_ID))
@as_json_option
def webhook_remove(name: str, id_: int, as_json_: bool) -> None:  # noqa: FBT001
    """Tell an address no more."""
    _step(name, lambda session, by, found, now: registering.remove_webhook(session, by, found, id_, now), f"webhook {id_} is removed", as_json_=as_json_)


def _known(services: Services, needed: tuple[str, ...] | list[str]) -> list[str]:
    """Return the ids of the modules there are; without a look at the index where none are needed."""
    return [module.id for module in services.library.current().modules] if needed else []


def _done(shown: dict[str, Any], said: str, *, as_json_: bool) -> None:
    if as_json_:
        print_json(shown)
    else:
        say(said)


def _once(made: dict[str, Any], secret: str, *, as_json_: bool) -> None:
    """Show what was made with a secret; without --json standard output holds that alone, so that it can go where it belongs."""
    if as_json_:
        print_json(made)
        return
    say("  ".join(f"{name}: {value}" for name, value in made.items() if name != secret))
    if made[secret] is not None:
        say("what follows is shown this once; keep it where your server keeps its secrets:")
        click.echo(made[secret])


def _step(name: str, step: Callable[[Session, str, Site, datetime], None], said: str, *, as_json_: bool) -> None:
    with writing() as (services, session):
        found = registering.find(session, name)
        step(session, COMMAND_LINE, found, services.now())
        session.flush()
        shown = _as_json(session, found)
    _done(shown, said, as_json_=as_json_)


def _as_json(session: Session, found: Site) -> dict[str, Any]:
    """Return a site as plain values, without any secret."""
    return {
        "name": found.name,
        "origins": found.origins,
        "theme": found.theme,
        "modules": found.modules,
        "audience": found.audience,
        "anonymous": found.anonymous,
        "disabled": found.disabled_at is not None,
        "keys": [{"kid": one.kid, "algorithm": one.algorithm, "retired": one.retired_at is not None} for one in found.signing_keys],
        "server_keys": [
            {"id": one.id, "label": one.name, "scopes": one.scopes, "used_at": one.used_at.isoformat() if one.used_at else None}
            for one in registering.server_keys_of(session, found)
        ],
        "webhooks": [{"id": one.id, "url": one.url, "topics": one.topics} for one in registering.webhooks_of(session, found)],
    }
