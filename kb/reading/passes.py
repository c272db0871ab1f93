"""Passes for pictures that not everybody may see: a browser fetches a picture without saying who asks, so its address says that they may.

A pass is made where an article is answered to somebody who may read it. It is good for that picture alone and for a quarter of an hour at most; whoever has
it can see the picture meanwhile, as they could see a copy.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from indexer import picture
from indexer.published import EVERYONE

if TYPE_CHECKING:
    from indexer.published import Published

NAME = "pass"
"""The parameter of a picture's address that holds its pass."""
LONGEST = timedelta(minutes=15)
_STEP = 300
"""Seconds at whose multiples passes end, so that the same picture has one address for some minutes and a browser fetches it once."""
_PICTURE = re.compile(r'(\b(?:src|href)="/media/([^"?#]+))(?=")')
_LOCAL = re.compile(r'(<(?:a|img)\b[^<>]*? (?:href|src)=")/(?!/)')
"""An address on this host in a tag. Sections hold no < or > inside one: nh3 writes them as entities."""
_WRITTEN = re.compile(r"([1-9][0-9]{9,10})\.([0-9a-f]{40})", re.ASCII)


def with_passes(html: str, published: Published, secret_key: str, now: datetime) -> str:
    """Return an article's HTML with a pass in each address of a picture that not everybody may see. To be given to nobody but who may read the article."""

    def admit(found: re.Match[str]) -> str:
        shown, name = found[1], picture.named(found[2])
        return shown if published.shows(name, EVERYONE) else f"{shown}?{NAME}={written(secret_key, name, now)}"

    return _PICTURE.sub(admit, html)


def for_any_page(html: str, published: Published, secret_key: str, base_url: str, now: datetime) -> str:
    """Return an article's HTML as a page of another host can show it: addresses name our host, and pictures have their passes. The same people may have it."""
    return _LOCAL.sub(rf"\g<1>{base_url}/", with_passes(html, published, secret_key, now))


def written(secret_key: str, name: str, now: datetime) -> str:
    """Return a pass for the picture `name` ("module/name"), good for 10 to 15 minutes from `now`: when it ends, in seconds, and what proves it."""
    ends = (int((now + LONGEST).timestamp()) // _STEP) * _STEP
    return f"{ends}.{_proof(secret_key, name, ends)}"


def until(secret_key: str, name: str, given: str, now: datetime) -> datetime | None:
    """Return when a pass for this picture ends, None for what is none, no longer one, or another's. How long it takes says nothing of the right one."""
    found = _WRITTEN.fullmatch(given)
    if found is None:
        return None
    ends = int(found[1])
    genuine = hmac.compare_digest(_proof(secret_key, name, ends), found[2])
    left = ends - now.timestamp()
    return datetime.fromtimestamp(ends, UTC) if genuine and 0 < left <= LONGEST.total_seconds() else None


def _proof(secret_key: str, name: str, ends: int) -> str:
    """Return 160 bits that need a key of this purpose, made from the secret key: with another one all passes end, and the next answers hold new ones."""
    key = hmac.new(secret_key.encode(), b"pass for a picture", hashlib.sha256).digest()
    return hmac.new(key, f"{ends} {name}".encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:40]
