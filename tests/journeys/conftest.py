"""The cast of tests/kb plays the stories."""

from tests.kb.conftest import (  # noqa: F401 - fixtures are found by their names
    agent,
    app,
    app_of,
    asker,
    browser,
    clock,
    compiled,
    editor,
    empty_database,
    intruder,
    link_for,
    log,
    read,
    rows,
    second_asker,
    services,
    services_with,
    shipped_library,
    signed_in,
)
