"""The one place where a command that failed becomes plain sentences and an exit code, told to its user."""

import sys
import traceback
from collections.abc import Callable, Sequence

from postroom.cli.exit_codes import FAULT, INTERRUPTED, NO, UNUSABLE
from postroom.settings import SettingsRejected
from postroom.store.errors import DirectoryInUse, StoreError

# PostgreSQL's documentation, "Error Codes": connection exceptions and operator intervention; then read-only
# transactions, insufficient privilege, resources, errors of the system.
_AWAY = ("08", "57")
_REFUSING = ("25006", "42501", "53", "58")


class StartFailed(Exception):
    """The server could not start; the text says why and what to do."""


def report_failures(program: Callable[[], object]) -> None:
    """Run the program; what its reader can mend ends with sentences on stderr.

    Exit code 2 for settings and databases that can't be used, 1 when another server has the data directory, when the
    processes do not start, or when database or disk fail in the middle; 70 for a fault of ours, the only thing that is
    told with a traceback: it may not happen again when somebody looks.
    """
    try:
        program()
    except SettingsRejected as rejected:
        _exit(rejected.lines, UNUSABLE)
    except DirectoryInUse as taken:
        _exit((str(taken),), NO)
    except StoreError as unusable:
        _exit((str(unusable),), UNUSABLE)
    except StartFailed as failed:
        _exit((str(failed),), NO)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as failed:
        outside = _outside(failed)
        if outside:
            _exit((outside,), NO)
        traceback.print_exception(failed)
        _exit(("this is a fault of Postroom, not of the command; its makers need the lines above",), FAULT)


def _outside(failed: Exception) -> str:
    """What the database or the machine failed with; empty for what is our own mistake."""
    # Not imported by every command: whoever raised one of these has.
    asyncpg = sys.modules.get("asyncpg")
    if asyncpg is not None and isinstance(failed, asyncpg.PostgresError):
        state = failed.sqlstate or ""
        if state.startswith(_AWAY):
            return f"the database went away ({failed}); see whether it runs, and give the command again"
        if state.startswith(_REFUSING):
            return f"the database refuses ({failed}); see that its user owns the tables and may write, and its disk"
        return ""
    if asyncpg is not None and isinstance(failed, asyncpg.InterfaceError) and "closed" in str(failed):
        return f"the database went away ({failed}); see whether it runs, and give the command again"
    if isinstance(failed, ConnectionError | TimeoutError):
        return (
            f"a connection broke ({str(failed) or type(failed).__name__}); see whether the database runs, and try again"
        )
    if isinstance(failed, OSError) and failed.filename is None and failed.strerror:
        return f"the output can't be written ({failed.strerror}); make room, or send it elsewhere"
    if isinstance(failed, OSError) and failed.strerror:
        return f"{failed.filename}: {failed.strerror}; see that it is there and may be used by this user"
    return ""


def _exit(lines: Sequence[str], code: int) -> None:
    for line in lines:
        print(f"postroom: {line}", file=sys.stderr)
    sys.exit(code)
