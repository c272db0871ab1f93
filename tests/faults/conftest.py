"""The cast of tests/kb, for what happens when processes are killed and disks are full."""

from tests.kb.conftest import (  # noqa: F401 - fixtures are found by their names
    app,
    app_of,
    clock,
    compiled,
    empty_database,
    log,
    rows,
    services,
    services_with,
    shipped_library,
)
