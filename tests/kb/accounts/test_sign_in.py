from datetime import timedelta
from importlib.util import find_spec, module_from_spec

import pytest
from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY
from sqlalchemy import func, select, text

from kb.accounts import sign_in
from kb.accounts.models import FailedSignIn, SignInLink, StaffSession
from kb.accounts.roles import NAMES, Right, Role, is_staff, may
from kb.errors import InvalidRequestError, KbError

PASSWORD = "三只猫坐在墙头上看月亮"


def try_password(session, name, password, now):
    stored = sign_in.stored_password(session, name, now)
    return sign_in.note_try(session, name, now, fitted=stored if sign_in.fits(stored, password) else "")


@pytest.fixture
def agent(session, now):
    user = sign_in.add_user(session, "客服小林", Role.AGENT, now)
    sign_in.set_password(user, PASSWORD)
    return user


def dump(session):
    tables = session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
    return str([session.execute(text(f'SELECT * FROM "{table}"')).all() for table in tables])  # noqa: S608 - names of our own tables


@pytest.mark.parametrize("name", ["", "   ", "长" * 41, "客服小林", " 客服小林 ", "客服小林\u200b"])
def test_a_name_is_short_and_nobody_elses(session, agent, now, name):
    with pytest.raises(KbError):
        sign_in.add_user(session, name, Role.AGENT, now)


def test_an_unknown_role_is_named_with_the_known_ones(session, now):
    with pytest.raises(KbError, match="administrator"):
        sign_in.add_user(session, "甲", "root", now)


@pytest.mark.parametrize("name", ["Lin", "ＬＩＮ", "lin", " lin "])
def test_a_name_is_known_whatever_its_case_and_width(session, now, name):
    user = sign_in.add_user(session, "Lin", Role.AGENT, now)
    assert sign_in.find_user(session, name) is user


@pytest.mark.parametrize("password", ["", "123456789", "客服小林"])
def test_a_weak_password_is_refused(agent, password):
    with pytest.raises(InvalidRequestError):
        sign_in.set_password(agent, password)


def test_a_long_name_is_no_password(session, now):
    user = sign_in.add_user(session, "administrator", Role.ADMINISTRATOR, now)
    with pytest.raises(InvalidRequestError):
        sign_in.set_password(user, "ADMINISTRATOR")


def test_name_and_password_let_somebody_in_and_nothing_else_does(session, agent, now):
    assert try_password(session, "客服小林", PASSWORD, now) is agent
    for name, password in [
        ("客服小林", PASSWORD[:-1]),
        ("客服小林", ""),
        ("客服小王", PASSWORD),
        ("", ""),
        ("客服小林", agent.password_hash),
        ("' OR 1=1 --", "x"),
    ]:
        assert try_password(session, name, password, now) is None


def test_an_account_without_a_password_comes_in_by_link_only(session, now):
    sign_in.add_user(session, "甲", Role.AGENT, now)
    assert try_password(session, "甲", "", now) is None


def test_a_password_of_the_program_is_hashed_at_the_cost_of_rfc_9106():
    spec = find_spec("kb.accounts.sign_in")
    program = module_from_spec(spec)  # as the program has it: tests hash at a lower cost
    spec.loader.exec_module(program)
    user = program.User(name="客服小林")
    program.set_password(user, PASSWORD)
    assert extract_parameters(user.password_hash) == RFC_9106_LOW_MEMORY


def test_guessing_is_slowed_down_even_for_the_right_password_and_for_nobodys_name(session, agent, now):
    for name in ("客服小林", "没有此人"):
        for _ in range(sign_in.TRIES):
            assert try_password(session, name, "wrong password", now) is None
        for variant in (name, f" {name}", f"{name}\u200b"):
            with pytest.raises(InvalidRequestError) as raised:
                try_password(session, variant, PASSWORD, now)
            assert raised.value.status == 429
    assert try_password(session, "客服小林", PASSWORD, now + sign_in.TRY_WINDOW) is agent


def test_of_many_tries_at_once_no_more_count_than_of_as_many_one_after_the_other(session, agent, now):
    """All of them were let in before the first was found wrong."""
    stored = [sign_in.stored_password(session, "客服小林", now) for _ in range(sign_in.TRIES + 1)]
    for _ in range(sign_in.TRIES):
        assert sign_in.note_try(session, "客服小林", now, fitted="") is None
    assert sign_in.fits(stored[-1], PASSWORD)
    with pytest.raises(InvalidRequestError):
        sign_in.note_try(session, "客服小林", now, fitted=stored[-1])


def test_a_success_forgets_the_wrong_tries(session, agent, now):
    for _ in range(3):
        try_password(session, "客服小林", "wrong password", now)
    assert try_password(session, "客服小林", PASSWORD, now) is agent
    assert session.scalar(select(func.count()).select_from(FailedSignIn)) == 0


def test_a_password_that_was_changed_while_it_was_checked_lets_nobody_in(session, agent, now):
    stored = sign_in.stored_password(session, "客服小林", now)
    assert sign_in.fits(stored, PASSWORD)
    sign_in.set_password(agent, f"{PASSWORD}两只")
    assert sign_in.note_try(session, "客服小林", now, fitted=stored) is None


def test_a_first_password_that_somebody_else_set_meanwhile_is_not_replaced_without_it(session, now):
    user = sign_in.add_user(session, "甲", Role.AGENT, now)
    stored = sign_in.stored_password(session, "甲", now)
    assert sign_in.note_try(session, "甲", now, fitted=stored) is user, "only who is signed in already is let through without one"
    sign_in.set_password(user, PASSWORD)
    assert sign_in.note_try(session, "甲", now, fitted=stored) is None


YEARS = timedelta(days=3652)


@pytest.mark.parametrize("swept", [False, True])
def test_what_was_begun_under_a_clock_ten_years_ahead_ends_when_the_clock_is_right(session, agent, now, swept):
    token = sign_in.start_session(session, agent, now + YEARS)
    links = [sign_in.reset(session, agent, now + YEARS), sign_in.invitation(session, agent, now + YEARS)]
    for _ in range(sign_in.TRIES):
        try_password(session, "客服小林", "wrong password", now + YEARS)
    if swept:
        sign_in.sweep(session, now)
        assert [session.scalar(select(func.count()).select_from(table)) for table in (StaffSession, FailedSignIn, SignInLink)] == [0, 0, 0]
    assert sign_in.whose_session(session, token, now) is None
    assert sign_in.sessions_of(session, agent.id, now) == []
    for link in links:
        with pytest.raises(InvalidRequestError):
            sign_in.open_link(session, link, now)
    assert try_password(session, "客服小林", PASSWORD, now) is agent


def test_a_link_to_a_new_password_from_a_clock_two_days_ahead_does_not_last_for_two_days(session, agent, now):
    link = sign_in.reset(session, agent, now + timedelta(days=2))
    with pytest.raises(InvalidRequestError):
        sign_in.open_link(session, link, now)


def test_a_clock_that_is_set_right_by_a_minute_ends_nothing(session, agent, now):
    token, link = sign_in.start_session(session, agent, now), sign_in.new_link(session, agent, now)
    earlier = now - timedelta(minutes=1)
    sign_in.sweep(session, earlier)
    assert sign_in.whose_session(session, token, earlier).user is agent
    assert sign_in.open_link(session, link, earlier)[1] is agent


def test_a_link_is_good_for_half_an_hour(session, agent, now):
    token = sign_in.new_link(session, agent, now)
    assert sign_in.open_link(session, token, now + timedelta(minutes=30))[1] is agent
    with pytest.raises(InvalidRequestError) as raised:
        sign_in.open_link(session, token, now + timedelta(minutes=30, seconds=1))
    assert raised.value.status == 410


def test_a_used_wrong_or_replaced_link_opens_nothing(session, agent, now):
    old = sign_in.new_link(session, agent, now)
    new = sign_in.new_link(session, agent, now)
    sign_in.open_link(session, new, now)[0].used_at = now
    for token in (old, new, "", new[:-1], f"{new} ", sign_in.hashed(new)):
        with pytest.raises(InvalidRequestError):
            sign_in.open_link(session, token, now)


def test_the_first_administrators_link_is_void_once_there_is_one(session, now):
    token = sign_in.new_link(session, None, now)
    assert sign_in.open_link(session, token, now)[1] is None
    sign_in.add_user(session, "管理员", Role.ADMINISTRATOR, now)
    assert sign_in.has_administrator(session)
    with pytest.raises(InvalidRequestError):
        sign_in.open_link(session, token, now)


def test_a_mail_that_goes_out_twice_holds_two_links_of_which_one_works_once(session, agent, now):
    first, second = sign_in.reset(session, agent, now), sign_in.reset(session, agent, now)
    link, _ = sign_in.open_link(session, first, now)
    assert sign_in.open_link(session, second, now)[1] is agent
    sign_in.use_link(session, link, agent, now)
    for token in (first, second):
        with pytest.raises(InvalidRequestError):
            sign_in.open_link(session, token, now)


def test_a_new_link_for_one_leaves_the_links_of_others(session, agent, now):
    other = sign_in.add_user(session, "乙", Role.AGENT, now)
    theirs = sign_in.new_link(session, other, now)
    sign_in.new_link(session, agent, now)
    sign_in.new_link(session, None, now)
    assert sign_in.open_link(session, theirs, now)[1] is other


@pytest.mark.parametrize(
    ("seen", "at", "alive"),
    [
        (0, timedelta(minutes=29), True),
        (0, timedelta(minutes=30), False),
        (11 * 60 + 50, timedelta(hours=11, minutes=59), True),
        (11 * 60 + 50, timedelta(hours=12), False),
    ],
)
def test_a_session_ends_after_half_an_hour_of_rest_and_twelve_hours_in_all(session, agent, now, seen, at, alive):
    token = sign_in.start_session(session, agent, now)
    sign_in.whose_session(session, token, now).seen_at = now + timedelta(minutes=seen)
    found = sign_in.whose_session(session, token, now + at)
    assert (found is not None and found.user is agent) is alive


def test_signing_out_ends_one_session_and_not_the_other(session, agent, now):
    here, there = sign_in.start_session(session, agent, now), sign_in.start_session(session, agent, now)
    sign_in.end_session(session, here)
    assert sign_in.whose_session(session, here, now) is None
    assert sign_in.whose_session(session, there, now).user is agent
    assert sign_in.whose_session(session, "", now) is None


def test_no_secret_is_stored_in_clear(session, agent, now):
    secrets = [sign_in.new_link(session, agent, now), sign_in.start_session(session, agent, now), PASSWORD]
    session.flush()
    assert [secret for secret in secrets if secret in dump(session)] == []
    assert "客服小林" in dump(session)


def test_what_no_longer_counts_is_swept_and_the_rest_stays(session, agent, now):
    later = now + timedelta(minutes=40)
    for at in (now, later):
        sign_in.start_session(session, agent, at)
        try_password(session, "客服小林", "wrong password", at)
        session.add(SignInLink(token_hash=f"link at {at}", expires_at=at + sign_in.LINK_LIFE))
    sign_in.sweep(session, later)
    assert [session.scalar(select(func.count()).select_from(table)) for table in (StaffSession, FailedSignIn, SignInLink)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (Role.ASKER, set()),
        (Role.AGENT, {Right.DESK, Right.ANALYTICS, Right.READ_ALL}),
        (Role.EDITOR, {Right.DESK, Right.ANALYTICS, Right.READ_ALL}),
        (Role.OPERATOR, {Right.ANALYTICS, Right.READ_ALL, Right.SUPERVISE}),
        (Role.ADMINISTRATOR, set(Right)),
        ("root", set()),
        ("", set()),
        ("ADMINISTRATOR", set()),
    ],
)
def test_a_role_may_what_the_table_says(role, rights):
    assert {right for right in Right if may(role, right)} == rights


def test_every_role_has_a_name_and_only_askers_are_demand():
    assert set(NAMES) == set(Role)
    assert {role for role in Role if not is_staff(role)} == {Role.ASKER}


@pytest.mark.parametrize("name", ["asker", "system", " System "])
def test_nobody_has_a_name_under_which_the_history_keeps_others(db, now, name):
    with db.write() as session, pytest.raises(KbError, match="由程序使用"):
        sign_in.add_user(session, name, "agent", now)
