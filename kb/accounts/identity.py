"""Who a person is to the app that they came from, and how that app vouches for them: a token that it signs and that lasts for minutes (a JWT)."""

from __future__ import annotations

import json
import math
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from kb.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ALGORITHMS = ("HS256", "ES256", "EdDSA")
"""What a site may sign with."""
AUDIENCE = "zhida"
"""Whom tokens are for; a token for somebody else is not one for us."""
LONGEST_LIFE = 15 * 60
"""Seconds from `iat` to `exp` at most: what leaks is soon worth nothing."""
LEEWAY = 30
"""Seconds that the clocks of two servers may differ by."""
MOST_CHARACTERS = 4096
MOST_SUBJECT = 52
"""Characters of a person's id in a host app."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_HEADER = frozenset({"alg", "kid", "typ"})
"""Parameters that a token's header may hold. All others say where to find a key or how to read the rest otherwise, and neither is the token's to decide."""
_NEEDED = ("exp", "iat", "aud", "iss", "sub")
_SIGNATURES = jwt.PyJWS(options={"enforce_minimum_key_length": True})


class Subject(NamedTuple):
    """A host app's person: the app's site, and the app's own id of the person."""

    site: str
    sub: str


@dataclass(frozen=True, slots=True)
class Key:
    """What a site's tokens are checked with: its algorithm, which no token can change, and the secret (HS256) or public key (PEM)."""

    algorithm: str
    key: str = field(repr=False)


class Identity(NamedTuple):
    """Whom a site vouches for. `roles`: what it says they may read for, as it says it."""

    subject: Subject
    roles: frozenset[str]


def subject_of(person: str) -> Subject | None:
    """Return whom a host app knows as `person`, `s:<site>:<sub>`; None for everybody else."""
    kind, _, rest = person.partition(":")
    site, colon, sub = rest.partition(":")
    return Subject(site, sub) if kind == "s" and site and colon and sub else None


def bad_identity() -> InvalidRequestError:
    """Return the one refusal of every token that is not taken: whoever forges them is not told what to mend."""
    return InvalidRequestError(
        "bad_identity", "the identity token was not accepted: sign a new one with a key of this site (docs/widget.md lists what it must hold)", 401
    )


def is_subject(sub: object) -> bool:
    """Tell whether something can be a host app's id of a person: 1-52 visible characters, so that no two look the same."""
    return isinstance(sub, str) and 0 < len(sub) <= MOST_SUBJECT and sub.isprintable() and sub == sub.strip()


def verify(token: str, site: str, keys: Mapping[str, Key], now: datetime) -> Identity:
    """Return whom a token of `site` vouches for. `keys`: the site's keys in force by their `kid`.

    Raises `bad_identity`, always the same, for a token that is not signed by one of these keys with its algorithm, that is not from this site and for us, that
    is not in force now, or that lasts longer than 15 minutes.
    """
    claims = _object(signed(token, keys))
    if any(claims.get(name) is None for name in _NEEDED):
        raise bad_identity()
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if claims["iss"] != site or AUDIENCE not in audiences or not is_subject(claims["sub"]):
        raise bad_identity()
    at = now.timestamp()
    issued, ends, begins = (_moment(claims.get(name, claims["iat"])) for name in ("iat", "exp", "nbf"))
    if not (max(issued, begins) - LEEWAY <= at < ends + LEEWAY and 0 < ends - issued <= LONGEST_LIFE):
        raise bad_identity()
    role = claims.get("role")
    roles = [role] if isinstance(role, str) else role if isinstance(role, list) else []
    return Identity(Subject(site, claims["sub"]), frozenset(one for one in roles if isinstance(one, str)))


def signed(token: str, keys: Mapping[str, Key]) -> bytes:
    """Return what a token says, once its signature is known to be of the key that it names. Raises `bad_identity` for every other one."""
    if len(token) > MOST_CHARACTERS or not _TOKEN.fullmatch(token) or not all(map(_is_canonical, token.split("."))):
        raise bad_identity()
    header = _object(urlsafe_b64decode(_padded(token.partition(".")[0])))
    kid, kind = header.get("kid"), header.get("typ", "JWT")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None or header.get("alg") != key.algorithm or not header.keys() <= _HEADER or not isinstance(kind, str) or kind.upper() != "JWT":
        raise bad_identity()
    try:
        payload: bytes = _SIGNATURES.decode(token, key.key, algorithms=[key.algorithm])
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise bad_identity() from error
    return payload


def public_key(algorithm: str, text: str) -> str:
    """Return a public key as PEM, written as it is stored. Raises InvalidRequestError for what is no key of this algorithm, private ones above all."""
    if "PRIVATE KEY" in text:
        raise InvalidRequestError("bad_field", "这是私钥，谁拿到都能冒充你们的人：请把它作废，换一对，只交公钥（-----BEGIN PUBLIC KEY-----）。")
    try:
        key = load_pem_public_key(text.strip().encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidRequestError("bad_field", "读不出公钥。请贴上 PEM 格式的全文，从 -----BEGIN PUBLIC KEY----- 到 -----END PUBLIC KEY-----。") from error
    if not (isinstance(key, Ed25519PublicKey) if algorithm == "EdDSA" else isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)):
        raise InvalidRequestError("bad_field", "公钥和算法对不上：ES256 要 P-256 曲线的公钥，EdDSA 要 Ed25519 的公钥。")
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _object(text: bytes) -> dict[str, Any]:
    """Read a JSON object in which no name stands twice. Raises `bad_identity` for anything else."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        found = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise bad_identity() from error
    if not isinstance(found, dict):
        raise bad_identity()
    return found


def _moment(value: object) -> float:
    """Return a time in seconds. Raises `bad_identity` for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 2**53 or not math.isfinite(value):
        raise bad_identity()
    return float(value)


def _is_canonical(part: str) -> bool:
    """Tell whether a part is written as its bytes are: the last letter has room for bits that say nothing, and so for a second writing of the same token."""
    return len(part) % 4 != 1 and urlsafe_b64encode(urlsafe_b64decode(_padded(part))).rstrip(b"=") == part.encode()


def _padded(part: str) -> str:
    return part + "=" * (-len(part) % 4)
