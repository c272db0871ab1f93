import stat

import pytest

from kb.config import SETTINGS, Bot, Config, SmtpServer
from kb.errors import ConfigError


def test_without_settings_it_runs_here_and_for_this_machine_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = Config.from_env({})
    assert (config.host, config.port, config.base_url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert config.data == tmp_path / "var"
    assert config.index == tmp_path / "var" / "index"
    assert config.database_url == f"sqlite:///{tmp_path}/var/kb.sqlite3"
    assert config.sla is None
    assert not config.secure


def test_a_file_of_promises_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Config.from_env({"KB_SLA": "our/sla.toml"}).sla == tmp_path / "our" / "sla.toml"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"KB_PROT": "8000"}, "did you mean KB_PORT"),
        ({"KB_NONSENSE": ""}, "unknown"),
        ({"KB_DATA_FILE": "x"}, "unknown"),
        ({"KB_PORT": "0"}, "1 to 65535"),
        ({"KB_PORT": "65536"}, "1 to 65535"),
        ({"KB_BASE_URL": "http://kb", "KB_PORT": "80 "}, "whole number"),
        ({"KB_BASE_URL": "http://kb", "KB_PORT": "-1"}, "whole number"),
        ({"KB_BASE_URL": "http://kb", "KB_PORT": "1e3"}, "whole number"),
        ({"KB_WORKERS": "0"}, "1 to 64"),
        ({"KB_TICKETS_PER_HOUR": "0"}, "KB_TICKETS_PER_HOUR"),
        ({"KB_BASE_URL": "help.example.com"}, "KB_BASE_URL"),
        ({"KB_BASE_URL": "https://help.example.com/kb"}, "without a path"),
        ({"KB_BASE_URL": "javascript:alert(1)"}, "KB_BASE_URL"),
        ({"KB_BASE_URL": "https://user@help.example.com"}, "KB_BASE_URL"),
        ({"KB_SCORER": "bm42"}, "use compiled or whoosh"),
        ({"KB_WIDGET_ORIGINS": "https://app.example.com/path"}, "scheme and host"),
        ({"KB_WIDGET_ORIGINS": "*"}, "scheme and host"),
        ({"KB_WIDGET_ORIGINS": "null"}, "scheme and host"),
        ({"KB_HOSTS": "http://help.example.com"}, "without scheme and port"),
        ({"KB_HOSTS": "help.example.com:8000"}, "without scheme and port"),
        ({"KB_HOSTS": "*.example.com"}, "KB_HOSTS holds"),
        ({"KB_SECRET_KEY_FILE": "/nowhere/key"}, "cannot be read"),
        ({"KB_BOTS": "wecom https://a.example/k, slack https://hooks.example/hidden"}, "entry 2: begin it with wecom, dingtalk, feishu"),
        ({"KB_BOTS": "https://hidden.example/"}, "entry 1: begin it with"),
        ({"KB_BOTS": "wecom"}, r"entry 1 \(wecom\): what follows wecom is no http"),
        ({"KB_BOTS": "wecom ftp://hidden.example/k"}, "no http or https address"),
        ({"KB_BOTS": "wecom https://user:hidden@a.example/k"}, "no http or https address"),
        ({"KB_BOTS": "wecom https://a.example/密hidden"}, "no http or https address"),
        ({"KB_BOTS": "wecom https://a..example/hidden"}, "no http or https address"),
        ({"KB_BOTS": "wecom https://a.example:65536/hidden"}, "no http or https address"),
        ({"KB_BOTS": "wecom https://a.example/k hidden"}, "too many words"),
        ({"KB_BOTS": "dingtalk https://a.example/k hidden hidden"}, "too many words"),
        ({"KB_BOTS": "wecom https://hidden.example/,wecom https://hidden.example/"}, "one address twice"),
        ({"KB_BOTS_FILE": "/nowhere/bots"}, "KB_BOTS_FILE=/nowhere/bots cannot be read"),
        ({"KB_SMTP": "mail.example.com"}, "KB_SMTP is no address of a mail server"),
        ({"KB_SMTP": "http://user:hidden@mail.example.com"}, "smtps://mail.example.com:465"),
        ({"KB_SMTP": "smtp://user:hid/hidden@mail.example.com"}, "write @ as %40"),
        ({"KB_SMTP": "smtp://user:hidden@mail.example.com:99999"}, "KB_SMTP is no address of a mail server"),
        ({"KB_SMTP": "smtp://user:hidden@mail..example.com"}, "KB_SMTP is no address of a mail server"),
        ({"KB_SMTP": f"smtp://user:hidden@{'a' * 64}.example.com"}, "KB_SMTP is no address of a mail server"),
        ({"KB_SMTP": f"smtp://user:hidden@{'a.' * 127}com"}, "KB_SMTP is no address of a mail server"),
        ({"KB_SMTP": "smtp://user:hidden%E5%AF%86@mail.example.com"}, "other letters than ASCII"),
        ({"KB_SMTP": "smtp://mail.example.com?tls=hidden"}, "tls=no or"),
        ({"KB_SMTP": "smtps://mail.example.com?tls=no"}, "leave it out for STARTTLS"),
        ({"KB_SMTP": "smtp://hidden@mail.example.com"}, "a user without a password"),
        ({"KB_SMTP_FILE": "/nowhere/smtp"}, "KB_SMTP_FILE=/nowhere/smtp cannot be read"),
        ({"KB_MAIL_FROM": "知答"}, "KB_MAIL_FROM='知答' is no mail address"),
        ({"KB_MAIL_FROM": "知答 <help@example.com>\r\nBcc: x@example.com"}, "is no mail address"),
        ({"KB_MAIL_FROM": "=?utf-8?q?=0aBcc:_x?= <help@example.com>"}, "is no mail address"),
        ({"KB_FOLLOWER_HOOK": "app.example.com/hidden", "KB_HOOK_SECRET": "x" * 32}, "KB_FOLLOWER_HOOK is no address"),
        ({"KB_FOLLOWER_HOOK": "https://app..example.com/hidden", "KB_HOOK_SECRET": "x" * 32}, "KB_FOLLOWER_HOOK is no address"),
        ({"KB_FOLLOWER_HOOK": "https://app.example.com/hidden"}, "KB_HOOK_SECRET has fewer than 32"),
        ({"KB_FOLLOWER_HOOK": "https://app.example.com/hidden", "KB_HOOK_SECRET": "hidden" * 5}, "openssl rand -hex 32"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_remedy(environ, message):
    with pytest.raises(ConfigError, match=message) as raised:
        Config.from_env(environ)
    assert "hidden" not in str(raised.value)


def test_a_database_password_is_not_printed():
    with pytest.raises(ConfigError) as raised:
        Config.from_env({"KB_DATABASE_URL": "postgresql://kb:hunter2@db/kb"})
    assert "hunter2" not in str(raised.value)


def test_settings_of_other_programs_are_left_alone():
    assert Config.from_env({"PATH": "/bin", "kb_port": "1", "XKB_PORT": "x"}).port == 8000


def test_an_address_by_https_is_secure_and_has_no_slash_at_its_end():
    config = Config.from_env({"KB_BASE_URL": "https://help.example.com/"})
    assert config.base_url == "https://help.example.com"
    assert config.secure


def test_people_may_come_under_other_names_than_that_of_the_address():
    config = Config.from_env({"KB_BASE_URL": "https://help.example.com:8443", "KB_HOST": "::1", "KB_HOSTS": "Help.Intra, 192.168.1.10,fd00::7,"})
    assert config.known_hosts == {"help.example.com", "::1", "help.intra", "192.168.1.10", "fd00::7"}


def test_origins_are_a_list():
    config = Config.from_env({"KB_WIDGET_ORIGINS": " https://a.example.com, http://b:8080 ,"})
    assert config.widget_origins == ("https://a.example.com", "http://b:8080")


def test_the_data_folder_and_the_key_are_for_us_alone_and_the_key_stays(tmp_path):
    config = Config.from_env({"KB_DATA": str(tmp_path / "var")})
    first = config.prepare()
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "var" / "secret_key").stat().st_mode) == 0o600
    assert len(first.secret_key) >= 64
    assert config.prepare().secret_key == first.secret_key
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["secret_key"]


def test_a_key_may_come_from_a_file_and_is_then_not_made(tmp_path):
    (tmp_path / "key").write_text("from-a-file\n")
    config = Config.from_env({"KB_SECRET_KEY_FILE": str(tmp_path / "key"), "KB_DATA": str(tmp_path / "var")}).prepare()
    assert config.secret_key == "from-a-file"
    assert not (tmp_path / "var" / "secret_key").exists()


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="KB_DATA"):
        Config.from_env({"KB_DATA": str(tmp_path / "file" / "var")}).prepare()


def test_every_setting_says_what_it_is_for():
    assert all(about for _, about in SETTINGS.values())


def test_an_empty_setting_is_as_if_it_were_not_set():
    assert Config.from_env({"KB_DATA": "", "KB_PORT": ""}) == Config.from_env({})


def test_bots_come_from_lines_or_commas_and_their_keys_are_not_shown(tmp_path):
    kept = tmp_path / "bots"
    kept.write_text("wecom https://a.example/send?key=k-1\n\ndingtalk http://10.0.0.7:8080/robot SEC1\n", encoding="utf-8")
    config = Config.from_env({"KB_BOTS_FILE": str(kept)})
    assert config.bots == (Bot("wecom", "https://a.example/send?key=k-1"), Bot("dingtalk", "http://10.0.0.7:8080/robot", "SEC1"))
    assert Config.from_env({"KB_BOTS": kept.read_text(encoding="utf-8").replace("\n", ",")}).bots == config.bots
    assert not any(secret in repr(config) for secret in ("k-1", "SEC1"))


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("smtp://zhida:s%40cret@mail.example.com", SmtpServer("mail.example.com", 587, "starttls", "zhida", "s@cret")),
        ("smtps://zhida:s%40cret@mail.example.com/", SmtpServer("mail.example.com", 465, "implicit", "zhida", "s@cret")),
        ("smtp://10.0.0.7:25?tls=no", SmtpServer("10.0.0.7", 25, "no", "", "")),
        ("smtp://localhost:2525", SmtpServer("localhost", 2525, "no", "", "")),
        ("smtp://[::1]:2525?tls=yes", SmtpServer("::1", 2525, "starttls", "", "")),
        ("smtp://127.0.0.1.example.com", SmtpServer("127.0.0.1.example.com", 587, "starttls", "", "")),
    ],
)
def test_mail_is_sealed_unless_the_server_is_this_machine_or_somebody_says_so(address, server):
    config = Config.from_env({"KB_SMTP": address})
    assert config.smtp == server
    assert "s@cret" not in repr(config)


@pytest.mark.parametrize(
    ("given", "sender"),
    [
        ("", ("知答", "zhida@help.example.com")),
        ("help@example.com", ("知答", "help@example.com")),
        ("财务服务台 <help@example.com>", ("财务服务台", "help@example.com")),
        ('"Help, Desk" <help@example.com>', ("Help, Desk", "help@example.com")),
    ],
)
def test_whom_mails_are_from(given, sender):
    assert Config.from_env({"KB_BASE_URL": "https://help.example.com", "KB_MAIL_FROM": given}).mail_from == sender


def test_what_signs_the_messages_to_a_host_app_is_not_shown():
    config = Config.from_env({"KB_FOLLOWER_HOOK": "https://app.example.com/hooks/zhida", "KB_HOOK_SECRET": "s3cret" * 8})
    assert (config.follower_hook, config.hook_secret) == ("https://app.example.com/hooks/zhida", "s3cret" * 8)
    assert "s3cret" not in repr(config)
