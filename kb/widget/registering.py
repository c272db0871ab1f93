"""What an administrator does with sites, their keys and their webhooks. Each step is noted in the audit log in its transaction; a secret is returned once."""

from __future__ import annotations

import re
import secrets
from dataclasses import astuple, dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from sqlalchemy import select

from indexer.article import AUDIENCES
from kb.accounts import audit, identity
from kb.accounts.audit import Deed
from kb.accounts.identity import ALGORITHMS
from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.widget import server_keys
from kb.widget.models import ServerKey, SigningKey, Site, Webhook
from kb.widget.server_keys import Scope

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.orm import Session

THEMES = ("auto", "light", "dark")
TOPICS = {"ticket.opened": "有人提了问题", "ticket.answered": "问题有了回复或答案", "ticket.closed": "问题关闭了"}
"""What a site's server may be told, and what people call it."""
MOST_KEYS = 2
"""Signing keys of a site in force at once: the old one and the new one while they are changed."""
_MOST_ORIGINS = 20
_MOST_LABEL = 80
_MOST_URL = 400
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?", re.ASCII)
_KID = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN = re.compile(rf"(https?)://({_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::([1-9][0-9]{{0,4}}))?", re.ASCII)
_URL = re.compile(r"([a-z]+://[^/?]+)(?:[/?](?:(?![#\\])[!-~])*)?", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_LOOPBACK = re.compile(r"(?:.+\.)?localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]", re.ASCII)
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed with a site, as kb.widget.models.Site says it."""

    origins: tuple[str, ...]
    modules: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    theme: str = "auto"
    anonymous: bool = True


def terms_of(site: Site) -> Terms:
    """Return what is agreed with a site now."""
    return Terms(tuple(site.origins), tuple(site.modules), tuple(site.audience), site.theme, site.anonymous)


def everything(session: Session) -> list[Site]:
    """Return all sites: those in use first, by name."""
    return list(session.scalars(select(Site).order_by(Site.disabled_at.is_not(None), Site.name)))


def find(session: Session, name: str) -> Site:
    """Return a site. Raises NotFoundError."""
    site = session.get(Site, name)
    if site is None:
        raise NotFoundError(f"没有站点 {name[:40]}。用 kb site list 或在“站点”页查看已有的站点。")
    return site


def add(session: Session, by: str, name: str, terms: Terms, modules: Collection[str], now: datetime) -> Site:
    """Register a site. `modules`: the folders there are. Raises InvalidRequestError for a name or terms that cannot be, ConflictError for a name that is taken.

    A name is never given to another site: its people's questions are kept under it.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequestError("bad_field", "站点名用 1 到 24 个小写字母、数字和连字符，像 travel；不以连字符开头或结尾。")
    if session.get(Site, name) is not None:
        raise ConflictError(f"已经有站点 {name}。要改它，请打开它的页面或用 kb site set；停用了的用 kb site restore 恢复。")
    _check(terms, modules)
    site = Site(name=name, created_at=now, disabled_at=None)
    _agree(site, terms)
    session.add(site)
    audit.note(session, by, Deed.SITE_ADDED, name, _in_words(terms), now)
    return site


def change(session: Session, by: str, site: Site, terms: Terms, modules: Collection[str], now: datetime) -> bool:
    """Agree something else with a site; tell whether it is something else. Raises InvalidRequestError for terms that cannot be."""
    _check(terms, modules)
    if astuple(terms) == astuple(terms_of(site)):
        return False
    _agree(site, terms)
    audit.note(session, by, Deed.SITE_CHANGED, site.name, _in_words(terms), now)
    return True


def disable(session: Session, by: str, site: Site, now: datetime) -> None:
    """Take a site out of use: its pages, tokens and server keys are refused, its server is told nothing. Already so changes nothing."""
    if site.disabled_at is None:
        site.disabled_at = now
        audit.note(session, by, Deed.SITE_DISABLED, site.name, "", now)


def restore(session: Session, by: str, site: Site, now: datetime) -> None:
    """Bring a site back into use, with the keys that were not revoked. Already so changes nothing."""
    if site.disabled_at is not None:
        site.disabled_at = None
        audit.note(session, by, Deed.SITE_ENABLED, site.name, "", now)


def add_key(session: Session, by: str, site: Site, algorithm: str, kid: str, public_key: str, now: datetime) -> SigningKey:
    """Add a signing key, whose `key` is a new secret for HS256; "" for `kid` makes one up. ES256 and EdDSA take the site's public key as PEM.

    Raises ConflictError when two are in force or the `kid` was used before, InvalidRequestError for what cannot be.
    """
    if algorithm not in ALGORITHMS:
        raise InvalidRequestError("bad_field", f"签名算法只能是 {'、'.join(ALGORITHMS)}。")
    if (algorithm == "HS256") == bool(public_key.strip()):
        raise InvalidRequestError("bad_field", "HS256 的密钥由我们生成，不要带公钥；ES256 和 EdDSA 要附上你们的公钥（PEM）。")
    used = {key.kid for key in site.signing_keys}
    kid = kid or next(free for number in range(1, len(used) + 2) if (free := f"k{number}") not in used)
    if not _KID.fullmatch(kid):
        raise InvalidRequestError("bad_field", "密钥编号（kid）用 1 到 40 个字母、数字、点、连字符和下划线。")
    if kid in used:
        raise ConflictError(f"密钥编号 {kid} 用过了，不能再用。请换一个。")
    if sum(key.retired_at is None for key in site.signing_keys) >= MOST_KEYS:
        raise ConflictError(f"已经有 {MOST_KEYS} 把签名密钥在用。请先停用旧的一把，再加新的。")
    made = SigningKey(
        site_name=site.name,
        kid=kid,
        algorithm=algorithm,
        key=secrets.token_urlsafe(48) if algorithm == "HS256" else identity.public_key(algorithm, public_key),
        created_at=now,
        retired_at=None,
    )
    site.signing_keys.append(made)
    audit.note(session, by, Deed.KEY_ADDED, site.name, f"{kid}（{algorithm}）", now)
    return made


def retire_key(session: Session, by: str, site: Site, kid: str, now: datetime) -> None:
    """Accept no token of a signing key any more. Raises NotFoundError when it is not one of this site in force."""
    key = next((one for one in site.signing_keys if one.kid == kid and one.retired_at is None), None)
    if key is None:
        raise NotFoundError(f"站点 {site.name} 没有在用的签名密钥 {kid[:40]}。")
    key.retired_at = now
    key.key = ""  # what vouches for nobody is not kept
    audit.note(session, by, Deed.KEY_RETIRED, site.name, kid, now)


def server_keys_of(session: Session, site: Site) -> list[ServerKey]:
    """Return a site's server keys in force, the oldest first."""
    return list(session.scalars(select(ServerKey).where(ServerKey.site_name == site.name, ServerKey.revoked_at.is_(None)).order_by(ServerKey.id)))


def add_server_key(session: Session, by: str, site: Site, label: str, scopes: Collection[str], now: datetime) -> str:
    """Add a server key and return it as it is sent with requests: it stands nowhere afterwards. Raises InvalidRequestError for what cannot be."""
    label = " ".join(label.split())
    if not label or len(label) > _MOST_LABEL or not label.isprintable():
        raise InvalidRequestError("bad_field", f"给密钥起个名字，1 到 {_MOST_LABEL} 个字，好认出它用在哪里。")
    if not scopes or not set(scopes) <= set(Scope):
        raise InvalidRequestError("bad_field", f"选出这把密钥能做什么，至少一样：{'、'.join(Scope)}。")
    secret = server_keys.new_secret()
    kept = [scope.value for scope in Scope if scope in scopes]
    key = ServerKey(site_name=site.name, name=label, secret_hash=server_keys.hashed(secret), scopes=kept, created_at=now, used_at=None, revoked_at=None)
    session.add(key)
    session.flush()
    audit.note(session, by, Deed.SERVER_KEY_ADDED, site.name, f"{key.id} {label}（{'、'.join(kept)}）", now)
    return server_keys.written(key.id, secret)


def revoke_server_key(session: Session, by: str, site: Site, id_: int, now: datetime) -> None:
    """Accept a server key no more. Raises NotFoundError when it is not one of this site in force."""
    key = next((one for one in server_keys_of(session, site) if one.id == id_), None)
    if key is None:
        raise NotFoundError(f"站点 {site.name} 没有在用的服务器密钥 {id_}。")
    key.revoked_at = now
    audit.note(session, by, Deed.SERVER_KEY_REVOKED, site.name, f"{key.id} {key.name}", now)


def webhooks_of(session: Session, site: Site) -> list[Webhook]:
    """Return where a site's server is told, the oldest first."""
    return list(session.scalars(select(Webhook).where(Webhook.site_name == site.name, Webhook.ended_at.is_(None)).order_by(Webhook.id)))


def add_webhook(session: Session, by: str, site: Site, url: str, topics: Collection[str], now: datetime) -> Webhook:
    """Tell a site's server from now on, signed with the webhook's new `secret`. Raises InvalidRequestError for an address or a topic that cannot be."""
    found = _URL.fullmatch(url)
    if found is None or len(url) > _MOST_URL or _flaw(found[1]):
        raise InvalidRequestError("bad_field", "通知地址要写全，像 https://app.example.com/hooks/zhida；只有本机可以用 http，不带账号、密码和 # 号。")
    if not topics or not set(topics) <= set(TOPICS):
        raise InvalidRequestError("bad_field", f"选出要通知什么，至少一样：{'、'.join(TOPICS)}。")
    if any(one.url == url for one in webhooks_of(session, site)):
        raise ConflictError("这个地址已经在通知了。要改通知什么，请先删掉它再加。")
    kept = [topic for topic in TOPICS if topic in topics]
    webhook = Webhook(site_name=site.name, url=url, secret=secrets.token_urlsafe(32), topics=kept, created_at=now, ended_at=None)
    session.add(webhook)
    session.flush()
    audit.note(session, by, Deed.WEBHOOK_ADDED, site.name, f"{webhook.id}（{'、'.join(kept)}）", now)  # its address may hold a key
    return webhook


def remove_webhook(session: Session, by: str, site: Site, id_: int, now: datetime) -> None:
    """Tell a site's server no more. Raises NotFoundError when it is not one of this site in force."""
    webhook = next((one for one in webhooks_of(session, site) if one.id == id_), None)
    if webhook is None:
        raise NotFoundError(f"站点 {site.name} 没有通知地址 {id_}。")
    webhook.ended_at = now
    audit.note(session, by, Deed.WEBHOOK_REMOVED, site.name, str(id_), now)


def _check(terms: Terms, modules: Collection[str]) -> None:
    if not 0 < len(terms.origins) <= _MOST_ORIGINS:
        raise InvalidRequestError("bad_field", f"写出站点网页的来源地址，1 到 {_MOST_ORIGINS} 个，像 https://app.example.com。")
    for origin in terms.origins:
        if flaw := _flaw(origin):
            raise InvalidRequestError("bad_field", f"来源地址 {origin[:200]!r} 不能用：{flaw}")
    for module in terms.modules:
        if module not in modules:
            raise InvalidRequestError("bad_field", f"没有模块 {module[:80]}。可以选：{'、'.join(modules)}。")
    for who in terms.audience:
        if who not in AUDIENCES:
            raise InvalidRequestError("bad_field", f"没有读者 {who[:80]}。可以选：{'、'.join(AUDIENCES)}。")
    if terms.theme not in THEMES:
        raise InvalidRequestError("bad_field", f"外观只能是 {'、'.join(THEMES)}。")


def _flaw(origin: str) -> str:
    """Return why a text is no origin as browsers send it, "" when it is one."""
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        return "只写协议、主机和端口，全部小写，像 https://app.example.com；不带路径、斜杠、通配符，中文域名用 xn-- 的写法。"
    scheme, host, port = found.groups()
    if flaw := _flaw_of_host(host):
        return flaw
    if port is not None and (int(port) > _LAST_PORT or port == _DEFAULT_PORTS[scheme]):
        return f"去掉 :{port}，浏览器不写默认端口；别的端口是 1 到 {_LAST_PORT}。"
    if scheme == "http" and not _LOOPBACK.fullmatch(host):
        return "除了本机（localhost、127.0.0.1），都要用 https。"
    return ""


def _flaw_of_host(host: str) -> str:
    """Return why a host is not written as browsers write it, "" when it is: an address they write in one way only."""
    try:
        if host.startswith("["):
            written = f"[{IPv6Address(host[1:-1])}]"
            return "" if host == written else f"浏览器把 {host} 写成 {written}。"
        if host.rpartition(".")[2].isdecimal():
            IPv4Address(host)
    except AddressValueError:
        return "IP 地址不是浏览器写的样子，像 127.0.0.1 或 [::1]；四个数前面不带 0。"
    return ""


def _agree(site: Site, terms: Terms) -> None:
    site.origins, site.modules, site.audience = list(terms.origins), list(terms.modules), list(terms.audience)
    site.theme, site.anonymous = terms.theme, terms.anonymous


def _in_words(terms: Terms) -> str:
    said = [" ".join(terms.origins), "匿名可用" if terms.anonymous else "不接受匿名", terms.theme]
    said += [f"模块 {' '.join(terms.modules)}"] * bool(terms.modules) + [f"读者 {' '.join(terms.audience)}"] * bool(terms.audience)
    return "；".join(said)
