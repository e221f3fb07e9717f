"""An erasure whose process was killed between two steps is finished by a running API process, and counted once."""

import os
import subprocess
import sys
from typing import Any

import pytest
from tests.wire.live import Unit, until

from postroom.store.pool import connect

_STEPS = "select erasure_id, done, finished_at, counts::text as counts from erasure where account_id = $1"


@pytest.fixture
def ann(sender: Unit) -> Unit:
    """A business unit with the contact `ann` and a message to it that waits."""
    values = [{"name": "Email Address", "value": "ann@example.com"}]
    body = {"contactKey": "ann", "attributeSets": [{"name": "Email Addresses", "items": [{"values": values}]}]}
    assert sender.call("POST", "/contacts/v1/contacts", json=body).status_code == 201
    send = {"definitionKey": "order", "recipient": {"contactKey": "ann", "to": "ann@example.com"}}
    assert sender.call("POST", "/messaging/v1/email/messages/k1", json=send).status_code == 202
    return sender


def erasure(unit: Unit) -> Any:
    rows = unit.api.rows(_STEPS, unit.account_id)
    return rows[0] if rows else None


def test_kill_nine_of_postroom_erase(ann: Unit) -> None:
    async def hold() -> Any:
        connection = await connect(ann.api.dsn, application_name="holder")
        await connection.execute("begin")
        await connection.fetch("select from contact where account_id = $1 for update", ann.account_id)
        return connection

    holder = ann.api.loop.run(hold())
    words = ["erase", "--contact-key", "ann", "--mid", str(ann.account_id), "--database-url", ann.api.dsn]
    process = subprocess.Popen([sys.executable, "-P", "-m", "postroom.cli.main", *words], env=os.environ.copy())
    until(lambda: (found := erasure(ann)) is not None and "captured" in found["done"], 60)
    process.kill()
    assert process.wait(timeout=20) == -9
    assert erasure(ann)["finished_at"] is None
    ann.api.loop.run(_release(holder))
    until(lambda: erasure(ann)["finished_at"] is not None, 60)
    receipt = ann.call("GET", f"/postroom/v1/erasures/{erasure(ann)['erasure_id']}").json()
    counts = {name: count for name, count in receipt["erased"].items() if count}
    assert counts == {"contacts": 1, "queuedMessages": 1, "messages": 1}
    assert ann.call("GET", "/postroom/v1/contacts/ann").status_code == 404


async def _release(holder: Any) -> None:
    await holder.execute("rollback")
    await holder.close()
