"""The cast of tests/kb plays here too, and the folder of hostile inputs is found here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kb.conftest import (  # noqa: F401 - fixtures are found by their names
    administrator,
    agent,
    app,
    app_of,
    asker,
    browser,
    clock,
    compiled,
    embedded,
    empty_database,
    link_for,
    log,
    read,
    rows,
    services,
    services_with,
    shipped_library,
    signed_in,
    ticket,
)

HOSTILE = Path(__file__).parents[2].parent / "shared" / "hostile"


@pytest.fixture(scope="session")
def hostile():
    """The folder of hostile inputs; without it these tests are skipped, and counted as skipped."""
    if not HOSTILE.is_dir():
        pytest.skip(f"the hostile inputs are not at {HOSTILE}")
    return HOSTILE
