"""The product over the shipped articles, a clock that stands still, and the cast: browsers without JavaScript, signed in through the real pages."""

from __future__ import annotations

import io
import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from itertools import count
from pathlib import Path

import pytest
import structlog
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import event, select

from indexer.published import Library
from kb import logs
from kb.accounts import sign_in
from kb.app import create_app
from kb.config import Config
from kb.db import Database
from kb.models import Base
from kb.services import Services
from kb.tickets import history, shares
from kb.widget import server_keys
from kb.widget.models import ServerKey, Site

ROOT = Path(__file__).parents[2]


class Clock:
    """A time that moves only when told to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **duration: float) -> None:
        self.at += timedelta(**duration)


class Page(HTMLParser):
    """What a browser makes of HTML: elements with their attributes, forms with their fields, links, and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.forms: list[dict] = []
        self.links: list[str] = []
        self._textarea = self._select = None
        self._words: list[str] = []
        self.feed(html)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag == "form":
            self.forms.append({"action": given.get("action", ""), "fields": {}, "choices": set(), "buttons": {}, "actions": {given.get("action", "")}})
        elif tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif given.get("type") in {"radio", "checkbox", "file"} and "checked" not in given and self.forms and "name" in given:
            self.forms[-1]["choices"].add(given["name"])  # sent only when somebody chooses it
        elif tag in {"input", "textarea"} and self.forms and "name" in given:
            self.forms[-1]["fields"][given["name"]] = given.get("value", "")
            self._textarea = given["name"] if tag == "textarea" else None
        elif tag == "select" and self.forms and "name" in given:
            self._select = given["name"]
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.forms[-1]["fields"]):
            self.forms[-1]["fields"][self._select] = given.get("value", "")
        elif tag == "button" and self.forms:
            self.forms[-1]["actions"].add(given.get("formaction", ""))
            self.forms[-1]["buttons"].setdefault(given.get("name", ""), []).append(given.get("value", ""))

    def handle_endtag(self, tag):
        if tag == "textarea":
            self._textarea = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data):
        self._words.append(data)
        if self._textarea:
            self.forms[-1]["fields"][self._textarea] += data

    def form(self, action: str, wanted: dict[str, str]) -> dict:
        """Return the first form that goes there and has these fields; a test that submits what no page offers is a failure."""
        for form in self.forms:
            if action in form["actions"] and set(wanted) <= {*form["fields"], *form["choices"], *form["buttons"]}:
                return form
        raise AssertionError(f"no form with {sorted(wanted)} goes to {action or 'the page itself'}; there are {self.forms}")


class Browser(FlaskClient):
    """A browser that keeps cookies and submits forms of pages."""

    numbers = count(1)

    def open(self, *args, **more):
        """Read answers whole, so that no file stays open."""
        return super().open(*args, **{"buffered": True, **more})

    def page(self, path: str) -> Page:
        return Page(self.get(path).text)

    def submit(self, page: str, action: str = "", **fields: str):
        """Open a page and submit its form to `action` with these fields and whatever the form holds already, its CSRF token first of all."""
        form = self.page(page).form(action, fields)
        return self.post(action or page, data={**form["fields"], **fields})

    def token(self, page: str = "/") -> str:
        return next(form["fields"]["csrf_token"] for form in self.page(page).forms if "csrf_token" in form["fields"])

    def ask(self, query: str, trigger: str = "enter", **more: object):
        """Finish a question as the page's script does, under a new id unless one is given."""
        return self.post("/api/v1/intents", json={"intent_id": f"intent-{next(self.numbers)}", "query": query, "trigger": trigger, **more})


@pytest.fixture
def read():
    """Read HTML as a browser does."""
    return Page


@pytest.fixture
def clock(now):
    return Clock(now)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """An SQLite file with this version's schema and no row, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "kb.sqlite3"
    database = Database(f"sqlite:///{path}")
    database.upgrade(datetime.fromisoformat("2026-11-20T00:00:00+00:00"))
    database.engine.dispose()
    return path


@pytest.fixture(scope="session")
def shipped_library(shipped):
    """The shipped articles, opened once for all tests."""
    library = Library(shipped.folder.parents[1])
    yield library
    library.current().backend.close()


@pytest.fixture
def services_with(tmp_path, shipped_library, shipped, empty_database, clock):
    """Make services on a data folder of their own, with other settings or another index; the shipped index is shared and never written."""
    made = []

    def make(index: Path | None = None, **settings: object) -> Services:
        data = tmp_path / f"data-{len(made)}"
        data.mkdir(mode=0o700)
        shutil.copy(empty_database, data / "kb.sqlite3")
        (data / "index").symlink_to(index or shipped.folder.parents[1])
        config = Config.from_env({"KB_DATA": str(data), "KB_ARTICLES": str(ROOT / "articles"), "KB_BASE_URL": "http://localhost"}).prepare()
        config = replace(config, **settings)
        ticks = count(0, 10)
        library = Library(config.index, lambda: float(next(ticks))) if index else shipped_library
        made.append(Services(config, Database(config.database_url), library, clock))
        return made[-1]

    yield make
    for one in made:
        one.db.engine.dispose()
        if one.library is not shipped_library and (published := one.library._published) is not None:  # noqa: SLF001 - closing what the library keeps open for good
            published.backend.close()


@pytest.fixture
def services(services_with):
    return services_with()


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """Templates compiled once for all applications of a run."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def app_of(compiled):
    """Make the application over services; its clients are browsers."""

    def make(services: Services):
        app = create_app(services)
        app.test_client_class = Browser
        app.jinja_env.bytecode_cache = compiled
        return app

    return make


@pytest.fixture
def app(app_of, services):
    return app_of(services)


@pytest.fixture
def browser(app):
    """Open a browser of somebody who has seen a page and so has a cookie."""

    def open_() -> Browser:
        client = app.test_client()
        client.get("/mine")
        return client

    return open_


@pytest.fixture
def link_for(services):
    """Make an account and return the path of its sign-in link."""

    def make(name: str, role: str) -> str:
        with services.db.write() as session:
            user = sign_in.find_user(session, name) or sign_in.add_user(session, name, role, services.now())
            return f"/sign-in/{sign_in.new_link(session, user, services.now())}"

    return make


@pytest.fixture
def signed_in(browser, link_for):
    """Sign somebody in by opening their link and pressing its button."""

    def make(name: str, role: str) -> Browser:
        client = browser()
        assert client.submit(link_for(name, role)).status_code == 303
        return client

    return make


@pytest.fixture
def asker(browser):
    return browser()


@pytest.fixture
def second_asker(browser):
    return browser()


@pytest.fixture
def agent(signed_in):
    return signed_in("客服小林", "agent")


@pytest.fixture
def editor(signed_in):
    return signed_in("编辑小何", "editor")


@pytest.fixture
def operator(signed_in):
    return signed_in("运营小方", "operator")


@pytest.fixture
def administrator(signed_in):
    return signed_in("管理员老周", "administrator")


@pytest.fixture
def disabled(signed_in, services):
    """An agent whose account was disabled while they were signed in: nothing but that is changed, so that their session is still stored."""
    client = signed_in("客服小郑", "agent")
    with services.db.write() as session:
        sign_in.find_user(session, "客服小郑").disabled_at = services.now()
    return client


@pytest.fixture
def intruder(signed_in):
    """Somebody with an account and no rights, who must be refused."""
    return signed_in("员工小钱", "asker")


@pytest.fixture
def rows(services):
    """Return every row of every table, to compare before and after."""

    def read_() -> dict[str, list[tuple]]:
        with services.db.read() as session:
            return {table.name: [tuple(row) for row in session.execute(select(table))] for table in Base.metadata.sorted_tables}

    return read_


@pytest.fixture
def statements(services):
    """Collect the SQL of a block: `with statements() as seen: …; assert len(seen) <= 5`."""

    @contextmanager
    def collect():
        seen: list[str] = []

        def note(*call: object) -> None:
            seen.append(str(call[2]))

        event.listen(services.db.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(services.db.engine, "before_cursor_execute", note)

    return collect


class Told:
    """What came of something that was done, and the SQL of it with its parameters."""

    def __init__(self, db: Database, do) -> None:
        self.sql: list[tuple[str, tuple]] = []
        event.listen(db.engine, "before_cursor_execute", self._note)
        try:
            self.result = do()
        finally:
            event.remove(db.engine, "before_cursor_execute", self._note)

    def _note(self, _connection, _cursor, statement, parameters, *_) -> None:
        if statement != "BEGIN":
            self.sql.append((statement, parameters))


@pytest.fixture
def asked():
    """Do something with a database and note what it was asked: `asked(db, lambda: …).sql`."""
    return Told


@pytest.fixture
def log(monkeypatch, caplog):
    """Return a function that gives all that was logged, as the program writes it."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure()
    yield lambda: written.getvalue() + caplog.text
    structlog.reset_defaults()


@pytest.fixture
def ticket(asker):
    """A question of the asker that nobody can answer: `{"number", "url", "followers"}`, its page's path and its token."""
    found = asker.ask("打印机卡纸怎么处理").json["ticket"]
    path = found["url"].removeprefix("http://localhost")
    return {**found, "path": path, "token": path.removeprefix("/t/")}


@pytest.fixture
def agent_does(services):
    """Do with a ticket what an agent does, at once and without the desk: `agent_does(lifecycle.reply, body="正在处理", to=token)`."""

    def do(step, number=1001, to=None, **said):
        with services.db.write() as session:
            more = {"to": shares.share(session, to)} if to else {}
            step(history.find(session, number), agent="客服小林", now=services.now(), **said, **more)

    return do


@pytest.fixture
def restricted(services_with, app_of, write, tmp_path, article, now):
    """The application over one open article and one for finance only, both about 银企直连."""
    from indexer.build import build  # noqa: PLC0415 - only this fixture builds

    folder = write(
        {
            "_modules.toml": '[open]\nname = "公开"\n[finance]\nname = "财务"\n',
            "open/pay.md": article("银企直连由财务维护。\n", "银企直连是什么", questions=["什么是银企直连"], contexts=["pay.page"]),
            "finance/keys.md": article(
                "银企直连的证书每年更新。\n\n![证书](key.svg)\n\n## 更新银企直连证书\n\n联系开户行。\n",
                "银企直连证书更新",
                questions=["银企直连证书过期"],
                audience=["finance"],
                contexts=["pay.page"],
                kind="announcement",
            ),
            "finance/key.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
        }
    )
    index = tmp_path / "restricted-index"
    build(folder, index, now)
    return services_with(index)


@pytest.fixture
def embedded(services):
    """Register the site `travel`, give its server keys, and return how these are sent: `embedded("search", sub="e-1024")`."""
    return _embedded_in(services)


@pytest.fixture
def embedded_in():
    """Do as `embedded` does with other services: `embedded_in(restricted, audience=["finance"])`."""
    return _embedded_in


def _embedded_in(services, audience=()):
    with services.db.write() as session:
        session.add(Site(name="travel", origins=["https://travel.example.com"], modules=[], audience=[*audience], anonymous=True, created_at=services.now()))

    def key(*scopes: str, sub: str = "", site: str = "travel") -> dict[str, str]:
        secret = server_keys.new_secret()
        with services.db.write() as session:
            made = ServerKey(site_name=site, name="test", secret_hash=server_keys.hashed(secret), scopes=list(scopes), created_at=services.now())
            session.add(made)
            session.flush()
            written = server_keys.written(made.id, secret)
        return {"Authorization": f"Bearer {written}", **({"X-Zhida-Sub": sub} if sub else {})}

    services.sites.look()
    return key
