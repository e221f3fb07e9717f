"""The one place where a failed start becomes plain sentences and an exit code, without a traceback."""

import sys
from collections.abc import Callable

from postroom.cli.serve import StartFailed
from postroom.settings import SettingsRejected
from postroom.store.errors import DirectoryInUse, StoreError


def report_failures(program: Callable[[], object]) -> None:
    """Run the program; what its reader can mend ends with sentences on stderr.

    Exit code 2 for settings and databases that can't be used, 1 when another server has the data directory or
    when the processes do not start.
    """
    try:
        program()
    except SettingsRejected as rejected:
        _exit(rejected.lines, 2)
    except DirectoryInUse as taken:
        _exit((str(taken),), 1)
    except StoreError as unusable:
        _exit((str(unusable),), 2)
    except StartFailed as failed:
        _exit((str(failed),), 1)


def _exit(lines: tuple[str, ...], code: int) -> None:
    for line in lines:
        print(f"postroom: {line}", file=sys.stderr)
    sys.exit(code)
