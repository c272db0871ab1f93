"""管理：站点. Which applications embed us, what is agreed with them, their keys, and where their servers are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request

from kb.accounts.identity import ALGORITHMS
from kb.errors import InvalidRequestError, NotFoundError
from kb.web.forms import clean
from kb.web.visitor import signed_in
from kb.widget import registering
from kb.widget.registering import THEMES, TOPICS, Terms
from kb.widget.server_keys import Scope

if TYPE_CHECKING:
    from datetime import datetime

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from kb.services import Services
    from kb.widget.models import Site

_THEMES = dict(zip(THEMES, ("跟随系统", "浅色", "深色"), strict=True))
_AUDIENCE = {"finance": "财务", "manager": "主管", "admin": "管理员"}
_SCOPES = {Scope.SEARCH: "搜索和提问的判断", Scope.TICKETS_READ: "看提问和回复", Scope.TICKETS_WRITE: "提问、补充、确认", Scope.ARTICLES_READ: "读文章"}
_ALGORITHMS = dict(zip(ALGORITHMS, ("HS256：我们生成一个共享的密钥", "ES256：用你们的 P-256 公钥", "EdDSA：用你们的 Ed25519 公钥"), strict=True))
_DONE = {
    "add": "登记好了。把下面这行代码放进网页的 <head>。",
    "change": "改好了，两秒内对所有网页生效。",
    "disable": "停用了：它的网页、身份令牌和密钥都不再接受。",
    "restore": "恢复了。",
    "retire": "停用了这把签名密钥：用它签的令牌不再接受。",
    "revoke": "停用了这把服务器密钥。",
    "unhook": "删掉了这个通知地址。",
}
_MOST_NUMBER = 18
"""Digits of a number that a form may send."""


def blueprint(services: Services) -> Blueprint:
    """Return /admin/sites, /admin/sites/<name> and what they post to."""
    views = Blueprint("sites_admin", __name__)

    @views.get("/admin/sites")
    def everything() -> ResponseReturnValue:
        return _everything(services, Terms(()))

    @views.post("/admin/sites")
    def add() -> ResponseReturnValue:
        name, terms = clean(request.form.get("name", "")).strip(), _terms()
        try:
            with services.db.write() as session:
                registering.add(session, signed_in().name, name, terms, _modules(services), services.now())
        except InvalidRequestError as error:
            return _everything(services, terms, name, str(error)), error.status
        services.sites.look()
        return redirect(f"/admin/sites/{name}?done=add", 303)

    @views.get("/admin/sites/<name>")
    def one(name: str) -> ResponseReturnValue:
        with services.db.read() as session:
            return _one(services, session, registering.find(session, name), done=_DONE.get(request.args.get("done", ""), ""))

    @views.get("/admin/sites/<name>/<action>")
    def step_address(name: str, action: str) -> ResponseReturnValue:  # noqa: ARG001 - the address of a form, opened by reloading
        with services.db.read() as session:
            return redirect(f"/admin/sites/{registering.find(session, name).name}", 303)

    @views.post("/admin/sites/<name>/<action>")
    def act(name: str, action: str) -> ResponseReturnValue:
        try:
            with services.db.write() as session:
                made = _step(services, session, signed_in().name, registering.find(session, name), action, services.now())
        except NotFoundError:
            raise
        except InvalidRequestError as error:
            with services.db.read() as session:
                return _one(services, session, registering.find(session, name), error=str(error), sent=_terms() if action == "change" else None), error.status
        services.sites.look()
        return made or redirect(f"/admin/sites/{name}?done={action}", 303)

    return views


def _step(services: Services, session: Session, by: str, site: Site, action: str, now: datetime) -> str:
    """Do what a form asks for; return the page that shows a secret, once, or "". Raises InvalidRequestError."""
    form = {name: clean(request.form.get(name, "")).strip() for name in ("alg", "kid", "public_key", "label", "url", "id")}
    if action == "change":
        registering.change(session, by, site, _terms(), _modules(services), now)
    elif action == "disable":
        registering.disable(session, by, site, now)
    elif action == "restore":
        registering.restore(session, by, site, now)
    elif action == "key":
        key = registering.add_key(session, by, site, form["alg"], form["kid"], form["public_key"], now)
        return _secret(site, f"签名密钥 {key.kid}", key.key if key.algorithm == "HS256" else "", key.kid)
    elif action == "retire":
        registering.retire_key(session, by, site, form["kid"], now)
    elif action == "server-key":
        return _secret(site, f"服务器密钥 {form['label']}", registering.add_server_key(session, by, site, form["label"], request.form.getlist("scope"), now))
    elif action == "revoke":
        registering.revoke_server_key(session, by, site, _number(form["id"]), now)
    elif action == "webhook":
        hook = registering.add_webhook(session, by, site, form["url"], request.form.getlist("topic"), now)
        return _secret(site, f"通知 {hook.url} 的签名密钥", hook.secret)
    elif action == "unhook":
        registering.remove_webhook(session, by, site, _number(form["id"]), now)
    else:
        raise NotFoundError("没有这个操作。请从站点的页面上的按钮进入。")
    return ""


def _terms() -> Terms:
    """Return what a form says of a site; an origin on each line."""
    given = request.form
    return Terms(
        origins=tuple(dict.fromkeys(clean(given.get("origins", "")).split())),
        modules=tuple(map(clean, given.getlist("module"))),
        audience=tuple(map(clean, given.getlist("audience"))),
        theme=clean(given.get("theme", "")),
        anonymous=given.get("anonymous") == "on",
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_NUMBER else 0


def _modules(services: Services) -> list[str]:
    return [module.id for module in services.library.current().modules]


def _everything(services: Services, given: Terms, name: str = "", error: str = "") -> str:
    with services.db.read() as session:
        return render_template("admin/sites.html", sites=registering.everything(session), given=given, name=name, error=error, **_choices(services))


def _one(services: Services, session: Session, site: Site, *, error: str = "", done: str = "", sent: Terms | None = None) -> str:
    return render_template(
        "admin/site.html",
        site=site,
        given=sent or registering.terms_of(site),
        keys=[key for key in site.signing_keys if key.retired_at is None],
        most_keys=registering.MOST_KEYS,
        server_keys=registering.server_keys_of(session, site),
        webhooks=registering.webhooks_of(session, site),
        scopes=_SCOPES,
        topics=TOPICS,
        algorithms=_ALGORITHMS,
        base_url=services.config.base_url,
        error=error,
        done=done,
        **_choices(services),
    )


def _choices(services: Services) -> dict[str, object]:
    return {"modules": services.library.current().modules, "audiences": _AUDIENCE, "themes": _THEMES}


def _secret(site: Site, what: str, secret: str, kid: str = "") -> str:
    """Return the page that shows a secret, once: it stands in no address or log."""
    return render_template("admin/site_secret.html", site=site, what=what, secret=secret, kid=kid)
