"""The process under test: a delivery process as `postroom deliver` is one, whose patience ends in seconds.

The settings are in the environment as always, PATIENCE in it is a JSON object: seconds for each step of a dialogue
(``timeouts``), for one question to the DNS (``dns``), and for which a site (``away``) or a source address at one
(``refused``) is left alone at first, and after which a preferred host is tried again (``fallback``), or the
DNS (``trouble``).
"""

import asyncio
import json
import os
import random
import sys
from dataclasses import replace

from postroom.assembly.delivery import worker_options
from postroom.cli.child import run_until_stopped
from postroom.cli.failures import report_failures
from postroom.cli.logs import configure_logs
from postroom.delivery.routing import routes, site, sources
from postroom.delivery.routing.options import MxOptions
from postroom.delivery.smtp.timeouts import Timeouts
from postroom.delivery.wakeups import listen
from postroom.delivery.worker import Worker
from postroom.settings import load_settings
from postroom.store.pool import open_pool


async def work(stop: asyncio.Event) -> None:
    patience = json.loads(os.environ.pop("PATIENCE"))
    site.FIRST_AWAY_SECONDS = patience["away"]
    site.FALLBACK_SECONDS = patience["fallback"]
    routes.TROUBLE_SECONDS = patience["trouble"]
    sources.FIRST_REFUSED_SECONDS = patience["refused"]
    settings = load_settings(os.environ)
    assert settings.database_url is not None
    options = worker_options(settings, owner="here", replaces=None)
    assert isinstance(options.target, MxOptions)
    target = replace(options.target, timeouts=Timeouts(**patience["timeouts"]), dns_seconds=patience["dns"])
    pool = await open_pool(settings.database_url, max_size=8, application_name="sending")
    try:
        worker = Worker(pool, replace(options, target=target), rand=random.random)
        listening = asyncio.create_task(listen(settings.database_url, worker.announce))
        await worker.run(stop)
        listening.cancel()
    finally:
        await pool.close()


def main() -> None:
    configure_logs(load_settings(os.environ), "deliver")
    sys.exit(run_until_stopped(work))


if __name__ == "__main__":
    report_failures(main)
