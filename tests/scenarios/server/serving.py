"""The process under test: the real `serve` with the crew of crew.py instead of the rooms of the pipeline."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from postroom.cli.failures import report_failures
from postroom.cli.logs import configure_logs
from postroom.cli.serve import Program, serve
from postroom.settings import Settings, load_settings
from postroom.store.pool import connect


@dataclass(frozen=True)
class Client:
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"
    account_id: int = 500000001


@dataclass(frozen=True)
class Prepared:
    client: Client


async def prepare(settings: Settings, dsn: str) -> Prepared:
    connection = await connect(dsn, application_name="prepare")
    await connection.execute("create table if not exists kept (word text)")
    await connection.close()
    return Prepared(Client())


def main() -> None:
    settings = load_settings(os.environ)
    configure_logs(settings, "serve")
    crew = Path(__file__).with_name("crew.py")
    sys.exit(asyncio.run(serve(settings, Program((sys.executable, str(crew)), prepare), sys.stdout)))


if __name__ == "__main__":
    report_failures(main)
