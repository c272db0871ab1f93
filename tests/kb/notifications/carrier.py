"""Carry what is due in a process that is killed at random moments, again and again, and then once to the end: `carrier.py DATA PORT KILLS SEED`.

Everything is loaded once, and each courier is a fork: what is killed is a courier at work, not Python starting up.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from indexer.published import Library
from kb.clock import utc_now
from kb.config import Config, SmtpServer
from kb.db import Database
from kb.mailer import Smtp
from kb.notifications.courier import Courier
from kb.services import Services


def main(data: str, port: str, kills: str, seed: str) -> None:
    chances = random.Random(int(seed))  # noqa: S311 - no secret
    config = Config.from_env({"KB_DATA": data, "KB_ARTICLES": str(Path(data) / "articles"), "KB_BASE_URL": "http://localhost"}).prepare()
    services = Services(config, Database(config.database_url), Library(config.index), utc_now)
    services.library.current()
    mail = Smtp(SmtpServer("127.0.0.1", int(port), "no", "", ""), ("知答", "help@example.com"))
    courier = Courier(services, {"mail": mail}, lambda: 0.0)
    for _ in range(int(kills)):
        child = os.fork()
        if child == 0:
            courier.work()
            os._exit(0)
        time.sleep(chances.uniform(0.005, 0.25))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    courier.work()


if __name__ == "__main__":
    main(*sys.argv[1:])
