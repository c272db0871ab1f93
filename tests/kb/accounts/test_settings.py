from kb.accounts.settings import MEANINGS, in_force
from kb.config import SETTINGS, Config

SECRETS = {
    "KB_SECRET_KEY": "s3cret-key-of-forms",
    "KB_SMTP": "smtps://kb:s3cret-password@mail.example.com",
    "KB_BOTS": "wecom https://bots.example.com/send?key=s3cret-bot",
    "KB_FOLLOWER_HOOK": "https://app.example.com/hooks?key=s3cret-hook",
    "KB_HOOK_SECRET": "s3cret-signature-of-32-characters",
}


def test_every_setting_is_explained_to_administrators_in_their_language():
    assert set(MEANINGS) == set(SETTINGS)
    assert [one.name for one in in_force(Config.from_env({}))] == list(SETTINGS)


def test_no_secret_is_ever_shown_whether_set_or_not(tmp_path):
    shown = in_force(Config.from_env({"KB_DATA": str(tmp_path), **SECRETS}).prepare())
    assert "s3cret" not in str(shown)
    assert {one.name for one in shown if one.hidden} == set(SECRETS)
    kept = in_force(Config.from_env({"KB_DATA": str(tmp_path / "other")}).prepare())
    assert Config.from_env({"KB_DATA": str(tmp_path / "other")}).prepare().secret_key not in str(kept)


def test_what_somebody_chose_is_told_from_what_is_usual():
    chosen = {one.name: one.value for one in in_force(Config.from_env({"KB_PORT": "8001", "KB_WORKERS": "2", "KB_PROXIES": ""})) if one.chosen}
    assert chosen == {"KB_PORT": "8001"}
