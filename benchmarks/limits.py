"""The raw limits, measured in the same run: what no server on this machine can be faster than."""

import os
import time
from pathlib import Path

import asyncpg
from benchmarks.compose import content, contexts, microseconds
from benchmarks.figures import Run, percentile
from benchmarks.smtp_client import send

from postroom.content.compiler import compile_content
from postroom.delivery.smtp.target import SmtpTarget, TlsMode

_BLOCK = 4096
_COPY_TABLE = """
drop table if exists bench_copy;
create table bench_copy (key text primary key, a smallint, b smallint, c smallint, data text)
"""


def fdatasync(folder: Path, count: int) -> Run:
    """Overwrite a 4 KiB block and have it written through, `count` times: milliseconds, median and 99 of 100."""
    block = os.urandom(_BLOCK)
    path = folder / "fdatasync"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    taken = []
    try:
        os.pwrite(file, block * 16, 0)
        os.fsync(file)
        for number in range(count):
            begun = time.perf_counter()
            os.pwrite(file, block, number % 16 * _BLOCK)
            os.fdatasync(file)
            taken.append((time.perf_counter() - begun) * 1e3)
    finally:
        os.close(file)
        path.unlink()
    return {"ms": percentile(taken, 0.5), "p99 ms": percentile(taken, 0.99)}


async def copy_rows(dsn: str, rows: int, batch: int = 2000) -> Run:
    """COPY rows with a 36-character unique key and 200 bytes into a table, a commit each `batch`; one connection."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_COPY_TABLE)
        data = "x" * 200
        records = [(f"{number:036d}", 1, 2, 3, data) for number in range(rows)]
        begun = time.perf_counter()
        for first in range(0, rows, batch):
            await connection.copy_records_to_table("bench_copy", records=records[first : first + batch])
        seconds = time.perf_counter() - begun
        await connection.execute("drop table bench_copy")
    finally:
        await connection.close()
    return {"rate": rows / seconds}


def compose(count: int) -> Run:
    """Compose the mail that the other cases send: microseconds of one core, and mails a second."""
    plan = compile_content(content())
    taken = microseconds(plan.compose, contexts(count))
    return {"us": taken, "rate": 1e6 / taken}


async def smtp_client(sink_port: int, messages: int, connections: int, size: int) -> Run:
    """The SMTP client of the delivery alone, one process: messages a second and its microseconds for each."""
    run = await send(SmtpTarget("127.0.0.1", sink_port, tls=TlsMode.OFF), messages, connections, size)
    return {"rate": run.rate, "us CPU client": run.cpu_us}
