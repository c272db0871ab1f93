"""What docs/widget.md tells those who embed us is so: options, calls, events, styles, messages and commands are the program's, and its tokens are taken."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from indexer.article import AUDIENCES
from kb.accounts import identity
from kb.accounts.identity import Key, Subject
from kb.cli import cli
from kb.errors import InvalidRequestError

ROOT = Path(__file__).parents[3]
ENGLISH, CHINESE = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("widget.md", "widget.zh-CN.md"))
WIDGET = (ROOT / "kb" / "static" / "widget.js").read_text(encoding="utf-8")
SECRET = "0123456789abcdef0123456789abcdef"
PERSON = "e-1024 张三"


def section(title: str) -> str:
    """Return the English text under a heading, up to the next of its level."""
    return re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", ENGLISH, re.MULTILINE | re.DOTALL)[1]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def rows(text: str) -> list[list[str]]:
    """Return the rows of all tables as lists of cells, without their headings."""
    tables = re.findall(r"^\|.+\n\|[ |-]+\n((?:\|.+\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for table in tables for row in table.splitlines()]


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def options() -> dict[str, list[str]]:
    """Return the options that the script takes, by attribute, and the values of those that have a list."""
    listed = re.search(r"^const ALLOWED = \{(.*?)^\};", WIDGET, re.MULTILINE | re.DOTALL)[1]
    found = re.findall(r"(\w+): \[(.*?)\]", listed)
    return {"data-" + re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", name): re.findall(r'"([^"]+)"', values) for name, values in found}


# The documents


def test_the_two_languages_have_the_same_code_and_the_same_tables():
    assert re.findall(r"^ *```.*?^ *```$", ENGLISH, re.MULTILINE | re.DOTALL) == re.findall(r"^ *```.*?^ *```$", CHINESE, re.MULTILINE | re.DOTALL)
    assert [codes(cells[0]) for cells in rows(ENGLISH)] == [codes(cells[0]) for cells in rows(CHINESE)]
    assert len(re.findall("^##+ ", ENGLISH, re.MULTILINE)) == len(re.findall("^##+ ", CHINESE, re.MULTILINE))


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["English", "Chinese"])
def test_what_the_document_points_to_is_there(text):
    headings = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        assert target[1:] in headings if target.startswith("#") else (ROOT / "docs" / target).exists(), target


def test_every_command_is_one_that_the_command_line_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zhida.pub").touch()
    written = [line for block in blocks(ENGLISH, "sh") for line in block.splitlines() if line.strip().startswith("kb ")]
    written += [code.replace("…", "kb site add travel --origin https://app.example.com") for cells in rows(section("Sites")) for code in codes(cells[0])]
    assert len(written) >= 10
    for line in written:
        command, words = cli, shlex.split(line)[1:]
        while isinstance(command, click.Group):
            command = command.get_command(None, words.pop(0))
        assert command is not None, line
        with command.make_context("kb", words):
            pass  # what is wrong raises


# The script


def test_the_options_are_those_that_the_script_takes_with_their_values_the_usual_one_first():
    written = {codes(cells[0])[0]: [code for code in codes(cells[1]) if options().get(codes(cells[0])[0])] for cells in rows(section("Options"))}
    assert written == options()


def test_the_calls_and_events_are_those_that_the_script_knows():
    text = section("JavaScript")
    commands = re.search(r"^const commands = \{(.*?)^\};", WIDGET, re.MULTILINE | re.DOTALL)[1]
    known = set(re.findall(r"^  (?:async )?(\w+)(?::|\()", commands, re.MULTILINE)) | set(re.findall(r'"(\w+)"', commands.splitlines()[1]))
    assert {re.match(r'kb\("(\w+)"', code)[1] for cells in rows(text) for code in codes(cells[0]) if code.startswith("kb(")} == known
    told = set(re.findall(r'"(\w+)"', re.search(r"EVENTS_TOLD = \[(.*?)\]", WIDGET)[1]))
    assert {code for cells in rows(text) for code in codes(cells[0]) if not code.startswith("kb(")} == told


def test_the_custom_properties_and_parts_are_those_that_the_script_has():
    text = section("Look")
    properties = {code for cells in rows(text) for code in codes(cells[0])}
    assert properties == set(re.findall(r"var\((--kb-[a-z-]+)", WIDGET))
    assert set(re.findall(r"::part\((\w+)\)", text)) == set(re.findall(r'\bpart: "(\w+)"', WIDGET))


def test_every_message_is_one_that_is_really_printed():
    sources = WIDGET + "".join(path.read_text(encoding="utf-8") for path in (ROOT / "kb" / "web").glob("*.py"))
    sources += (ROOT / "kb" / "accounts" / "identity.py").read_text(encoding="utf-8")
    told = [code for cells in rows(section("Troubleshooting")) for code in codes(cells[0])]
    assert len(told) >= 12
    for message in told:
        status, code, words = re.fullmatch(r"(?:(\d{3}) (\w+) )?(.+)", message).groups()
        assert code is None or f'"{code}"' in sources or f"_{code.partition('_')[0]}(" in sources, message
        for piece in words.split("…"):
            assert piece.strip(' "=()') in sources, (message, piece, status)


def test_the_stub_is_the_one_that_the_script_names_and_keeps_calls():
    (stub,) = [block.strip() for block in blocks(section("JavaScript"), "js") if block.startswith("window.kb =")]
    assert stub.rstrip(";") in WIDGET.split("*/")[0].replace("; }", "; }")
    if node := shutil.which("node"):
        kept = subprocess.run(
            [node, "-e", f"globalThis.window = globalThis; {stub} kb('open'); console.log(kb.q[0][0])"], capture_output=True, text=True, check=True
        )
        assert kept.stdout == "open\n"


def test_the_keys_in_the_browser_are_those_that_privacy_names():
    named = {code.rstrip("…") for code in codes(section("Privacy")) if code.startswith("kb-")}
    assert named == set(re.findall(r"[\"`](kb-[a-z]+:?)", WIDGET)) - {"kb-search"}


# Identity


def test_the_claims_are_those_that_are_checked():
    text = section("Identity")
    claims = {code: cells[1] for cells in rows(text) for code in codes(cells[0])}
    assert set(claims) == {"iss", "aud", "sub", "iat", "exp", "role"}
    assert f"`{identity.AUDIENCE}`" in claims["aud"]
    assert f"1 to {identity.MOST_SUBJECT} visible" in claims["sub"]
    assert f"at most {identity.LONGEST_LIFE // 60} minutes apart" in claims["exp"]
    assert f"by {identity.LEEWAY} s" in claims["exp"]
    assert set(codes(claims["role"])) - {"--audience"} == set(AUDIENCES)


def taken(token: str, key: Key) -> identity.Identity:
    return identity.verify(token, "travel", {"2026-11": key}, datetime.now(UTC))


def python_token(secret: str, algorithm: str) -> str:
    (source,) = blocks(ENGLISH, "python")
    names: dict = {}
    exec(source, names)  # noqa: S102 - the document's own lines are what is tested
    return names["identity_token"]("travel", "2026-11", secret, PERSON, ["manager"], algorithm)


def pair(private) -> tuple[str, str]:
    """Return a key as two PEM texts, private and public."""
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), public.decode()


@pytest.mark.parametrize(
    ("algorithm", "private", "public"),
    [("HS256", SECRET, SECRET), ("ES256", *pair(ec.generate_private_key(ec.SECP256R1()))), ("EdDSA", *pair(ed25519.Ed25519PrivateKey.generate()))],
    ids=["HS256", "ES256", "EdDSA"],
)
def test_what_the_python_lines_sign_is_taken(algorithm, private, public):
    found = taken(python_token(private, algorithm), Key(algorithm, public))
    assert found == (Subject("travel", PERSON), frozenset({"manager"}))


def test_what_the_python_lines_sign_with_another_secret_is_not_taken():
    with pytest.raises(InvalidRequestError, match="was not accepted"):
        taken(python_token(SECRET[::-1], "HS256"), Key("HS256", SECRET))


def test_what_the_node_lines_sign_is_taken():
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    (source,) = [block for block in blocks(ENGLISH, "js") if "node:crypto" in block]
    given = json.dumps({"site": "travel", "kid": "2026-11", "secret": SECRET, "sub": PERSON, "roles": ["manager"]})
    program = f"{source}\nprocess.stdout.write(identityToken({given}));"
    done = subprocess.run([node, "--input-type=module", "-"], input=program, capture_output=True, text=True, check=True)
    assert taken(done.stdout, Key("HS256", SECRET)) == (Subject("travel", PERSON), frozenset({"manager"}))


def test_what_the_java_lines_sign_is_taken(tmp_path):
    java = shutil.which("java")
    if java is None or shutil.which("javac") is None:
        pytest.skip("no Java compiler on this machine")
    (source,) = blocks(ENGLISH, "java")
    person = 'e-1024 "\\'
    call = f"System.out.print(sign({', '.join(map(json.dumps, ('travel', '2026-11', SECRET, person, 'manager')))}));"
    main = f"    public static void main(String[] none) throws Exception {{ {call} }}\n"
    program = tmp_path / "IdentityToken.java"
    program.write_text(source.replace("public final class IdentityToken {\n", f"public final class IdentityToken {{\n{main}"), encoding="utf-8")
    done = subprocess.run([java, "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert taken(done.stdout, Key("HS256", SECRET)) == (Subject("travel", person), frozenset({"manager"}))


# Without a script


def test_the_frame_of_the_document_is_a_search_that_pages_of_its_site_may_frame(restricted, app_of, register):
    register(restricted, "travel", origins=("https://app.example.com",))
    (source,) = re.findall(r'<iframe src="https://help\.example\.com(/[^"]+)"', ENGLISH)
    answer = app_of(restricted).test_client().get(source)
    assert answer.status_code == 200
    assert "https://app.example.com" in answer.headers["Content-Security-Policy"].partition("frame-ancestors ")[2].partition(";")[0].split()
    assert 'name="q"' in answer.text
