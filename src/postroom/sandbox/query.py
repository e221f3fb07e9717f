"""Query parameters of the sandbox's calls, read strictly: a filter that is misspelt must not be a filter ignored.

Names are compared without regard to case, as everywhere in the API (contract §0).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable

from postroom.sandbox.mailbox import MailFilter

LONGEST_TEXT = 1000
BIGGEST_ID = 2**63 - 1

WRONG_TYPE = 10001
INVALID_VALUE = 10005
NOT_FOUND = 30003
FORBIDDEN = 20000


class RequestRejected(Exception):
    """A request that is answered with a vendor-shaped error body (contract §0.1)."""

    def __init__(self, status: int, errorcode: int, name: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.body = {"message": f"Sandbox_{name}: {text}", "errorcode": errorcode, "documentation": ""}


class Query:
    """The parameters of one request. `known` are the names the call takes, as documented."""

    def __init__(self, pairs: Iterable[tuple[str, str]], known: Iterable[str]) -> None:
        names = {name.lower(): name for name in known}
        self._values: dict[str, str] = {}
        for given, value in pairs:
            name = names.get(given.lower())
            if name is None:
                raise RequestRejected(400, INVALID_VALUE, "InvalidValue", _unknown(given, names))
            if name in self._values:
                raise RequestRejected(400, INVALID_VALUE, "InvalidValue", f"{name} is given twice; give it once")
            self._values[name] = value

    def text(self, name: str) -> str | None:
        """The parameter as it is; None when it is absent or empty."""
        value = self._values.get(name, "")
        if len(value) > LONGEST_TEXT:
            problem = f"{name} has {len(value)} characters; at most {LONGEST_TEXT} are taken"
            raise RequestRejected(400, INVALID_VALUE, "InvalidValue", problem)
        return value or None

    def integer(self, name: str, *, least: int, most: int) -> int | None:
        value = self._values.get(name)
        return None if value is None else read_integer(name, value, least=least, most=most)

    def seconds(self, name: str, *, default: float, most: float) -> float:
        value = self._values.get(name)
        if value is None:
            return default
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if math.isnan(seconds):
            problem = f"{name}={_shown(value)}: a number of seconds is wanted, such as {name}=10"
            raise RequestRejected(400, WRONG_TYPE, "InvalidDataType", problem)
        if not 0 <= seconds <= most:
            problem = f"{name}={_shown(value)}: 0 to {most:g} seconds are taken"
            raise RequestRejected(400, INVALID_VALUE, "InvalidValue", problem)
        return seconds

    def address(self, name: str) -> str | None:
        """An address; None when it is absent or empty."""
        value = self.text(name)
        # A plus sign that was not percent-encoded arrives as a space, which no address has.
        return value.replace(" ", "+") if value and '"' not in value else value

    def account_id(self) -> int | None:
        """accountId, the id of a business unit; None when it is absent."""
        return self.integer("accountId", least=0, most=BIGGEST_ID)

    def flag(self, name: str) -> bool:
        """Whether a parameter is true; it is false when it is absent."""
        value = self._values.get(name, "false")
        if value.lower() not in ("true", "false"):
            raise RequestRejected(400, INVALID_VALUE, "InvalidValue", f"{name}={_shown(value)}: true or false is taken")
        return value.lower() == "true"

    def mail_filter(self) -> MailFilter:
        """to, messageKey, subject, q, after, before, accountId."""
        return MailFilter(
            to=self.address("to"),
            message_key=self.text("messageKey"),
            subject=self.text("subject"),
            words=tuple((self.text("q") or "").split()),
            after=self.integer("after", least=0, most=BIGGEST_ID),
            before=self.integer("before", least=0, most=BIGGEST_ID),
            account_id=self.account_id(),
        )


def read_integer(name: str, value: str, *, least: int, most: int) -> int:
    """A whole number in bounds; raises `RequestRejected` that names the parameter."""
    if not (value.isascii() and value.removeprefix("-").isdigit() and len(value) <= 40):
        problem = f"{name}={_shown(value)}: a whole number is wanted"
        raise RequestRejected(400, WRONG_TYPE, "InvalidDataType", problem)
    number = int(value)
    if not least <= number <= most:
        raise RequestRejected(400, INVALID_VALUE, "InvalidValue", f"{name}={_shown(value)}: {least} to {most} is taken")
    return number


def _unknown(given: str, names: dict[str, str]) -> str:
    text = f"there is no parameter {_shown(given)} here"
    near = difflib.get_close_matches(given.lower(), names, n=1)
    if near:
        return f"{text}; did you mean {names[near[0]]}?"
    return f"{text}; known: {', '.join(names.values())}" if names else f"{text}; this call takes none"


def _shown(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:57]}..."
