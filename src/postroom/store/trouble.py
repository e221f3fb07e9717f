"""What an error of the database means for whoever met it: does waiting mend it, and if not, who has to.

    AWAY    nothing can be asked: no connection, shutting down, no disk, read-only after a failover
    BUSY    this statement did not get through, and may another time: deadlock, lock, time limit, memory
    VALUE   what was to be written or read is refused, and will be every time: the fault is in that row
    SETUP   database and program do not fit: a statement, a table, a right. Somebody has to change one of them

What passes is waited for. A VALUE is the end of one row, which must not hold up others (`store.isolation` finds it).
Of a SETUP no message is to blame, so none ends by it: work waits, and the log says at each try what has to be done.

The classes of SQLSTATE are those of PostgreSQL's documentation, appendix A. A code that is in no class of the standard
or PostgreSQL's is one that somebody's own trigger raised, of a row.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import asyncpg
from structlog.typing import FilteringBoundLogger

DATABASE_TROUBLE = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg makes of a connection that breaks in the middle of a COPY
    OSError,  # TimeoutError is one
)
"""What a call of the database raises; `trouble_of` says what it means."""


class Trouble(Enum):
    """What an error means."""

    AWAY = "away"
    BUSY = "busy"
    VALUE = "value"
    SETUP = "setup"

    @property
    def passes(self) -> bool:
        """Whether waiting mends it."""
        return self in (Trouble.AWAY, Trouble.BUSY)


_CLASSES: Mapping[str, Trouble] = MappingProxyType(
    {
        "08": Trouble.AWAY,  # connection exception
        "0A": Trouble.SETUP,  # feature not supported
        "0B": Trouble.SETUP,
        "0L": Trouble.SETUP,
        "0P": Trouble.SETUP,
        "24": Trouble.SETUP,
        "25": Trouble.SETUP,  # invalid transaction state
        "26": Trouble.SETUP,  # a pooler between us and the server that knows no prepared statements
        "28": Trouble.SETUP,  # invalid authorization
        "2B": Trouble.SETUP,
        "2D": Trouble.SETUP,
        "2F": Trouble.SETUP,
        "34": Trouble.SETUP,
        "3B": Trouble.SETUP,
        "3D": Trouble.SETUP,  # no such database
        "3F": Trouble.SETUP,  # no such schema
        "40": Trouble.BUSY,  # transaction rollback
        "42": Trouble.SETUP,  # syntax error, or access rule violation
        "53": Trouble.AWAY,  # insufficient resources
        "55": Trouble.BUSY,  # object not in prerequisite state
        "57": Trouble.AWAY,  # operator intervention
        "58": Trouble.AWAY,  # system error
        "72": Trouble.BUSY,  # snapshot too old
        "F0": Trouble.SETUP,  # configuration file error
        "HV": Trouble.SETUP,  # foreign data wrapper
        "XX": Trouble.SETUP,  # internal error
    }
)
"""Of every other class it is a VALUE: 21, 22, 23, 44, 54, P0, and whatever triggers raise."""

_CODES: Mapping[str, Trouble] = MappingProxyType(
    {
        "25006": Trouble.AWAY,  # read-only: what was the primary is a standby
        "25P03": Trouble.AWAY,  # idle in transaction for too long: the session is gone
        "25P04": Trouble.BUSY,  # transaction timeout
        "42P05": Trouble.SETUP,
        "53200": Trouble.BUSY,  # out of memory
        "53400": Trouble.BUSY,  # a limit of the configuration
        "55000": Trouble.AWAY,  # the database takes no connections
        "57014": Trouble.BUSY,  # a statement took too long, or somebody cancelled it
        "58P01": Trouble.SETUP,  # a file of the server's is missing
        "58P02": Trouble.SETUP,
        "XX000": Trouble.BUSY,  # such as "tuple concurrently updated"
    }
)

_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "26": "let POSTROOM_DATABASE_URL name PostgreSQL itself, or a pooler in session mode",
        "28": "check user and password of POSTROOM_DATABASE_URL, and the server's pg_hba.conf",
        "3D": "check the database of POSTROOM_DATABASE_URL",
        "42501": "give the user of POSTROOM_DATABASE_URL all rights on the tables of its schema",
        "42": "the tables are not those of this version: stop all processes of other versions and start this one",
        "58": "files of PostgreSQL are missing: see its log, restore it from a backup",
        "XX": "data of PostgreSQL are damaged: see its log, restore it from a backup",
    }
)

_NO_PARTITION = "the day has no partition: let one `postroom serve` or `postroom api` of this database run"
_DATABASES_OWN = "see the log of PostgreSQL at this moment"
_ROWS_OWN = (
    "look at the constraints and triggers that were added to the table; where there are none, report it as a fault"
)


def trouble_of(error: BaseException) -> Trouble:
    """What an error means. One that is no database's is a fault of what was worked on, a VALUE."""
    if isinstance(error, asyncpg.PostgresError):
        code = error.sqlstate or ""
        if isinstance(error, asyncpg.InvalidCachedStatementError):
            return Trouble.BUSY
        if _is_without_partition(error):
            return Trouble.SETUP
        return _CODES.get(code) or _CLASSES.get(code[:2], Trouble.VALUE)
    if isinstance(error, DATABASE_TROUBLE):
        return Trouble.AWAY
    return Trouble.VALUE


def _is_without_partition(error: asyncpg.PostgresError) -> bool:
    # The SQLSTATE is that of a check; the place in PostgreSQL's source is in no language and older than any we take.
    return error.sqlstate == "23514" and error.server_source_function == "ExecFindPartition"


def sqlstate_of(error: BaseException) -> str:
    """The SQLSTATE of an error, or the name of what it is where it has none."""
    code = error.sqlstate if isinstance(error, asyncpg.PostgresError) else None
    return code or type(error).__name__


def remedy_of(error: BaseException) -> str:
    """What somebody can do about an error, as a sentence for the log; empty where waiting does it."""
    trouble = trouble_of(error)
    if trouble.passes:
        return ""
    if trouble is Trouble.VALUE:
        return _ROWS_OWN
    if isinstance(error, asyncpg.PostgresError) and _is_without_partition(error):
        return _NO_PARTITION
    code = sqlstate_of(error)
    return _REMEDIES.get(code) or _REMEDIES.get(code[:2]) or _DATABASES_OWN


def tell_trouble(log: FilteringBoundLogger, event: str, error: BaseException, **facts: object) -> Trouble:
    """Log an error as what it is and answer that: a warning where waiting mends it, otherwise an error with its
    SQLSTATE and what to do."""
    trouble = trouble_of(error)
    if trouble.passes:
        log.warning(event, **facts, error=repr(error))
    else:
        log.error(event, **facts, error=repr(error), sqlstate=sqlstate_of(error), remedy=remedy_of(error))
    return trouble
