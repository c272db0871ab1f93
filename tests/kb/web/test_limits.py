"""What stands for an address where wrong passwords are counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kb.web.limits import source


@pytest.fixture
def seen_from(app, services):
    def look(address, **settings):
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
            return source(replace(services.config, **settings))

    return look


def test_an_address_is_counted_by_a_hash_that_needs_the_secret_key(seen_from):
    hashed = seen_from("203.0.113.7")
    assert "203.0.113.7" not in hashed
    assert len(hashed) == 64
    assert hashed == seen_from("203.0.113.7")
    assert hashed != seen_from("203.0.113.7", secret_key="another")
    assert hashed != seen_from("203.0.113.8")


def test_one_line_of_ipv6_is_one_address_and_its_neighbour_another(seen_from):
    assert seen_from("2001:db8:1:2::1") == seen_from("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert seen_from("2001:db8:1:2::1") != seen_from("2001:db8:1:3::1")
    assert seen_from("::ffff:203.0.113.7") == seen_from("203.0.113.7")
    assert seen_from("::ffff:203.0.113.7") != seen_from("::ffff:203.0.113.8")
    assert seen_from("fe80::1%eth0") == seen_from("fe80::2")


@pytest.mark.parametrize("address", ["", "unix:", "not an address"])
def test_an_unknown_address_is_not_counted(seen_from, address):
    assert seen_from(address) == ""
