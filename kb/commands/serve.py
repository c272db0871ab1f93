"""`kb serve` and `kb worker`: the product, running until it is told to stop."""

from __future__ import annotations

import os

import click

from kb import logs
from kb import serve as serving
from kb.commands.database import DatabaseCommand, services_now, upgrade
from kb.worker import Worker


@click.command(cls=DatabaseCommand)
@click.option("--host", help="Address to listen on (KB_HOST).")
@click.option("--port", type=int, help="Port to listen on (KB_PORT).")
@click.option("--workers", type=int, help="Web processes (KB_WORKERS).")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Build what is missing, migrate the database, and serve web and worker until stopped."""
    for name, value in (("KB_HOST", host), ("KB_PORT", port), ("KB_WORKERS", workers)):
        if value is not None:
            os.environ[name] = str(value)
    logs.configure()
    services = services_now()
    serving.require_promises(services)
    serving.require_free_port(services.config)
    upgrade(services)
    serving.build_if_changed(services)
    serving.announce(services)
    serving.supervise(services)


@click.command(cls=DatabaseCommand)
def worker() -> None:
    """Build when articles change and forget what has expired, until stopped."""
    logs.configure()
    services = services_now()
    serving.require_promises(services)
    Worker(services).run()
