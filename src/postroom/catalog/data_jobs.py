"""Asynchronous calls on data extensions: what became of each row, for as long as clients may ask.

The rows of a call and its record are committed together, before the call is answered: a status that says Complete
tells of rows that can be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from postroom.catalog.data_rows import RowProblem
from postroom.store.database import Connection, Database

KEPT = timedelta(days=7)

_STORE = """
    insert into data_job (account_id, job_id, called_at, completed_at, has_errors, results)
    values ($1, $2, $3, clock_timestamp(), $4, $5)
"""

_FORGET = "delete from data_job where account_id = $1 and called_at < $2"

_FIND = """
    select called_at, completed_at, has_errors, results from data_job where account_id = $1 and job_id = $2
"""


class RowResult(msgspec.Struct, frozen=True):
    """What became of one row; no ``fault`` is success."""

    fault: str
    text: str


@dataclass(frozen=True, slots=True)
class DataJob:
    """A finished call."""

    called_at: datetime
    completed_at: datetime
    has_errors: bool
    results: list[RowResult]


_results = msgspec.json.Decoder(list[RowResult])


async def store_job(
    connection: Connection, account_id: int, job_id: UUID, called_at: datetime, problems: Sequence[RowProblem | None]
) -> None:
    """Write down a call in the transaction that did its work, and forget those too old to be asked for."""
    results = [
        RowResult("", "") if problem is None else RowResult(problem.fault.name, problem.text) for problem in problems
    ]
    await connection.execute(
        _STORE, account_id, job_id, called_at, any(problems), msgspec.json.encode(results).decode()
    )
    await connection.execute(_FORGET, account_id, called_at - KEPT)


async def find_job(database: Database, account_id: int, job_id: UUID) -> DataJob | None:
    """The call of this request id."""
    row = await database.fetchrow(_FIND, account_id, job_id)
    if row is None:
        return None
    return DataJob(row["called_at"], row["completed_at"], row["has_errors"], _results.decode(row["results"]))
