"""What was said in a ticket before somebody came into it is theirs to read only where somebody of theirs reads it already.

Whoever asks the same words on another site joins the same ticket, so that agents answer once. What they are told from then on is theirs: agents see on which
sites their answer is read. What was said before was said to others. The people of a site are a realm, and so are those of our own pages. Some realms keep
nothing to themselves, because anybody who comes there may ask the same words: our own pages, and sites that take people for whom they do not vouch. Those whom
such a site vouches for are a realm apart where they may read for roles. What an open realm reads, people elsewhere read too who are shown the ticket's module
where they ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from kb.tickets import history
from kb.tickets.models import Follower
from kb.widget.models import Site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kb.tickets.models import Ticket

_OF_NOBODY = "v:"
"""What persons begin with whom nobody vouches for (kb.web.visitor)."""


@dataclass(frozen=True, slots=True)
class Realm:
    """Whom a person is among: the people of a site, "" for our own pages. `vouched`: the site says who they are.

    `open`: anybody may come there and ask the same words. `modules`: those that are shown there, none for all.
    """

    site: str
    vouched: bool = False
    open: bool = True
    modules: frozenset[str] = frozenset()

    def hears(self, other: Realm, module: str) -> bool:
        """Tell whether people of this realm may read what was said to another in a ticket of a module, "" for one that is filed under none."""
        if self.site == other.site:
            return self.vouched or other.open
        return other.open and (not self.modules or module in self.modules)


def realm_of(person: str, site: Site | None, name: str) -> Realm:
    """Return the realm of a person who asks on the site called `name`, "" for our own pages; one that is not in force (None) keeps what it has to itself."""
    if not name:
        return Realm("")
    vouched = not person.startswith(_OF_NOBODY)
    if site is None or site.disabled_at is not None:
        return Realm(name, vouched, open=False)
    return Realm(name, vouched, site.anonymous and not (vouched and site.audience), frozenset(site.modules))


@dataclass(frozen=True, slots=True)
class Present:
    """Who is in a ticket while others come into it. `read_after`: after which event the people of each realm read everything; `last`: the last event."""

    module: str
    last: int
    read_after: Sequence[tuple[Realm, int]]
    sites: Mapping[str, Site]

    def reads_after(self, person: str, site: str) -> int:
        """Return after which event somebody who comes now reads everything, by its id: 0 where all is theirs, the last one where they know nobody."""
        mine = realm_of(person, self.sites.get(site), site)
        return min((after for realm, after in self.read_after if mine.hears(realm, self.module)), default=self.last)


def sites_of(ticket: Ticket) -> frozenset[str]:
    """Return the sites, "" for our own pages, on which those asked who read what is said now to all."""
    here = (Follower.ticket_number == ticket.number, Follower.withdrawn_at.is_(None))
    return frozenset(history.session_of(ticket).scalars(select(Follower.site).where(*here).distinct()))


def present(ticket: Ticket) -> Present:
    """Return who has a share in a ticket now, in two statements however many they are."""
    session = history.session_of(ticket)
    session.flush()
    sites = {site.name: site for site in session.scalars(select(Site))}
    kind = func.substr(Follower.person, 1, len(_OF_NOBODY))
    here = (Follower.ticket_number == ticket.number, Follower.withdrawn_at.is_(None))
    grouped = select(Follower.site, kind, func.min(Follower.reads_after)).where(*here).group_by(Follower.site, kind)
    found = [(realm_of(person, sites.get(site), site), int(after)) for site, person, after in session.execute(grouped)]
    return Present(ticket.module, ticket.version, found, sites)
