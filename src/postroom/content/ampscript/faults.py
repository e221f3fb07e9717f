"""What goes wrong while a template runs: each a Fault with a stable code and a sentence for its author.

A function raises a fault without knowing where it was called; the engine fills in the place.
"""


class Fault(Exception):
    """The message gets no output. ``code`` is stable, ``message`` says what was wrong with which value.

    ``part``, ``line``, ``column`` (from 1) and ``function`` are where in the template; empty and 0 until the engine
    has filled them in.
    """

    code = "RuntimeFault"

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        if code:
            self.code = code
        self.part = ""
        self.line = 0
        self.column = 0
        self.function = ""

    def place(self, part: str, line: int, column: int, function: str) -> None:
        """Where it happened; the innermost place, which is told first, stays."""
        if not self.part:
            self.part, self.line, self.column, self.function = part, line, column, function

    def __str__(self) -> str:
        where = f"{self.part} line {self.line} column {self.column}: " if self.part else ""
        what = f"{self.function}: " if self.function else ""
        return f"{where}{what}{self.message} [{self.code}]"


class ValueFault(Fault):
    """A value that a function cannot work with: no number, no date, a row that is not there."""

    code = "BadValue"


class MissingFault(Fault):
    """Something named that does not exist: an attribute, a data extension, a column, a content block, a key."""

    code = "Missing"


class LimitFault(Fault):
    """One of the limits of ``run.Limits`` is used up; ``code`` is its own: StepLimit, OutputLimit, …"""

    code = "Limit"


class Refused(Fault):
    """A function the vendor refuses in email, or one that needs a service no other server has."""

    code = "NotAvailable"


class Raised(Fault):
    """RaiseError was called. ``skip``: only this recipient is left out, on purpose; else the send fails.
    ``keep_writes``: what was written to data extensions before stays."""

    code = "Raised"

    def __init__(
        self, message: str, *, skip: bool = False, api_code: str = "", api_number: str = "", keep_writes: bool = False
    ) -> None:
        super().__init__(message)
        self.skip = skip
        self.api_code = api_code
        self.api_number = api_number
        self.keep_writes = keep_writes
