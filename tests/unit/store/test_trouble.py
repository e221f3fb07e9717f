import asyncio
from typing import Any

import asyncpg
import pytest
from asyncpg.exceptions import InvalidCachedStatementError
from asyncpg.exceptions._base import PostgresError

from postroom.store.trouble import Trouble, remedy_of, sqlstate_of, tell_trouble, trouble_of

AWAY, BUSY, VALUE, SETUP = Trouble.AWAY, Trouble.BUSY, Trouble.VALUE, Trouble.SETUP

MEANT = {
    "08000": AWAY,  # connection exception
    "08006": AWAY,
    "08P01": AWAY,  # protocol violation; also what poolers answer
    "0A000": SETUP,  # feature not supported
    "21000": VALUE,  # two rows where one may be
    "22001": VALUE,  # too long
    "22003": VALUE,  # out of range
    "22008": VALUE,  # a date beyond all dates
    "22021": VALUE,  # NUL in text
    "22P02": VALUE,  # not a number
    "22P05": VALUE,  # NUL in JSON
    "23502": VALUE,
    "23503": VALUE,
    "23505": VALUE,
    "23P01": VALUE,
    "25006": AWAY,  # read-only: a standby now
    "25P02": SETUP,
    "25P03": AWAY,  # the session was ended
    "25P04": BUSY,
    "26000": SETUP,  # a pooler without prepared statements
    "28P01": SETUP,  # wrong password
    "3D000": SETUP,  # no such database
    "40001": BUSY,
    "40P01": BUSY,  # deadlock
    "42501": SETUP,  # permission denied
    "42601": SETUP,  # a statement that is wrong
    "42703": SETUP,  # a column that is missing
    "42P01": SETUP,  # a table that is missing
    "44000": VALUE,
    "53100": AWAY,  # disk full
    "53200": BUSY,  # out of memory
    "53300": AWAY,  # too many connections
    "54000": VALUE,  # a row too big
    "55000": AWAY,  # the database takes no connections
    "55P03": BUSY,  # a lock
    "57014": BUSY,  # a statement took too long
    "57P01": AWAY,  # shutting down
    "57P03": AWAY,  # starting up
    "58030": AWAY,  # I/O error
    "58P01": SETUP,  # a file is missing
    "72000": BUSY,
    "P0001": VALUE,  # raised by a trigger
    "XX000": BUSY,  # tuple concurrently updated
    "XX001": SETUP,  # data corrupted
    "ZZ123": VALUE,  # a code of somebody's own trigger
}


def error(sqlstate: str, **fields: str) -> PostgresError:
    found: PostgresError = PostgresError.new({"C": sqlstate, "M": "no", "S": "ERROR", **fields})
    return found


@pytest.mark.parametrize(("sqlstate", "meant"), MEANT.items())
def test_each_sqlstate_means_one_thing(sqlstate: str, meant: Trouble) -> None:
    raised = error(sqlstate)
    assert (sqlstate_of(raised), trouble_of(raised)) == (sqlstate, meant)
    assert bool(remedy_of(raised)) == (not meant.passes)


def test_every_code_that_the_driver_knows_is_of_a_class_with_a_meaning() -> None:
    """What ends a message is a code of few classes: those of values, and of triggers and functions on rows."""
    classes = (each for each in vars(asyncpg.exceptions).values() if isinstance(each, type))
    known = {each.sqlstate for each in classes if issubclass(each, PostgresError) and each.sqlstate}
    assert len(known) > 200
    ends = {code[:2] for code in known if trouble_of(error(code)) is VALUE}
    assert " ".join(sorted(ends)) == "03 09 0F 0Z 10 20 21 22 23 27 38 39 44 54 P0"


def test_a_check_is_a_values_fault_and_a_missing_partition_is_not() -> None:
    assert trouble_of(error("23514", R="ExecConstraints")) is VALUE
    missing = error("23514", R="ExecFindPartition")
    assert trouble_of(missing) is SETUP
    assert "partition" in remedy_of(missing)


@pytest.mark.parametrize(
    "raised",
    [
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("got result for unknown protocol state 3"),
        ConnectionRefusedError(111, "refused"),
        TimeoutError(),
        asyncio.IncompleteReadError(b"", 4) if issubclass(asyncio.IncompleteReadError, OSError) else OSError("cut"),
    ],
)
def test_a_connection_that_is_not_there_is_away(raised: Exception) -> None:
    assert trouble_of(raised) is AWAY


def test_a_plan_of_before_a_migration_is_made_anew() -> None:
    assert trouble_of(InvalidCachedStatementError("cached statement plan is invalid")) is BUSY


@pytest.mark.parametrize(
    "raised",
    [
        "\ud800",  # into COPY
        2**40,
    ],
)
def test_what_the_driver_can_not_even_send_is_a_values_fault(raised: object) -> None:
    with pytest.raises((UnicodeEncodeError, OverflowError)) as refused:
        raised.encode() if isinstance(raised, str) else raised.to_bytes(4)  # type: ignore[attr-defined]
    assert trouble_of(refused.value) is VALUE
    assert sqlstate_of(refused.value) == type(refused.value).__name__


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def warning(self, event: str, **facts: Any) -> None:
        self.lines.append(("warning", event, facts))

    def error(self, event: str, **facts: Any) -> None:
        self.lines.append(("error", event, facts))


def test_the_log_tells_what_has_to_be_done_and_of_an_outage_only_that_it_is_one() -> None:
    log = Log()
    assert tell_trouble(log, "waits", error("57P01"), messages=3) is AWAY  # type: ignore[arg-type]
    assert tell_trouble(log, "refused", error("42501")) is SETUP  # type: ignore[arg-type]
    (level, event, facts), (worse, _, told) = log.lines
    assert (level, event, facts["messages"]) == ("warning", "waits", 3)
    assert "remedy" not in facts
    assert (worse, told["sqlstate"]) == ("error", "42501")
    assert "rights" in told["remedy"]
