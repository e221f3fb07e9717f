"""Rules of a server that fails on purpose: which calls they are about, and what happens to those. Pure.

    {"method": "POST", "path": "/messaging/v1/email/messages/*", "status": 429, "retryAfter": 2, "times": 3}
    {"path": "/messaging/**", "accountId": 7000001, "delayMs": 1500, "share": 0.25, "seed": 7}
    {"method": "POST", "path": "/messaging/v1/email/messages/{messageKey}", "cut": "after"}

A path is compared segment by segment in any case, as routes are: ``*`` or ``{name}`` stands for one segment, ``**`` at
the end for any number of them.
"""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, cast, get_args
from urllib.parse import unquote

import msgspec

MOST_RULES: Final = 100
LONGEST_DELAY_MS: Final = 60_000
LONGEST_RETRY_AFTER: Final = 3_600
MOST_TIMES: Final = 1_000_000_000
_LONGEST_PATH = 500
_BIGGEST_ID = 2**63 - 1

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Status: TypeAlias = Literal[401, 403, 429, 500, 503]
Cut: TypeAlias = Literal["before", "after"]

_WITH_RETRY_AFTER = (429, 503)
_OWN = "sandbox"


class RuleRejected(ValueError):
    """The rules can't be used; the text names the field, the value and the fix."""


class ChaosRule(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One rule, as it is written and shown."""

    path: str = "/**"
    method: Method | None = None
    account_id: int | None = None
    """Only calls with a token of this business unit."""
    status: Status | None = None
    """The answer, in place of the call's own; nothing is carried out."""
    retry_after: int | None = None
    """Seconds, of the statuses 429 and 503."""
    delay_ms: int | None = None
    """Milliseconds before anything else happens."""
    cut: Cut | None = None
    """The connection ends without an answer: before the call is carried out, or after it."""
    times: int | None = None
    """It happens so often; None is for ever."""
    share: float | None = None
    """It happens to this part of the calls, chosen by `seed`; None is all."""
    seed: int = 0

    def matches(self, method: str, segments: Sequence[str], account_id: int | None) -> bool:
        """Whether it is about a call; `segments` are those of its path, as `segments_of` gives them."""
        if self.method is not None and self.method != method:
            return False
        if self.account_id is not None and self.account_id != account_id:
            return False
        wanted = segments_of(self.path)
        if wanted and wanted[-1] == "**":
            wanted = wanted[:-1]
            if len(segments) < len(wanted):
                return False
        elif len(segments) != len(wanted):
            return False
        return all(_stands_for(want, got) for want, got in zip(wanted, segments, strict=False))

    def draws(self, call: int) -> bool:
        """Whether it happens to the call of this number (1, 2, ...) among those that it is about."""
        return self.share is None or random.Random(f"{self.seed}/{call}").random() < self.share  # noqa: S311


def segments_of(path: str) -> list[str]:
    """The segments of a path in small letters; doubled slashes and one at the end make no difference."""
    return [unquote(segment).lower() for segment in path.split("/") if segment]


def is_own(segments: Sequence[str]) -> bool:
    """Whether a path is the sandbox's own, to which nothing happens: else nobody could take a rule back."""
    return not segments or segments[0] == _OWN


def read_rules(body: bytes, account_id: int | None = None) -> list[ChaosRule]:
    """The rules of a request, all for one business unit when ``account_id`` is given. Raises RuleRejected."""
    try:
        given = msgspec.json.decode(body)
    except msgspec.DecodeError as problem:
        raise RuleRejected(f'the body is no JSON ({problem}); write {{"rules": [...]}}') from None
    if not isinstance(given, dict) or given.keys() != {"rules"} or not isinstance(given["rules"], list):
        raise RuleRejected('the body must be an object with a list of rules and nothing else: {"rules": [...]}')
    if len(given["rules"]) > MOST_RULES:
        raise RuleRejected(f"rules has {len(given['rules'])} entries; at most {MOST_RULES} are taken")
    return [_rule(each, f"rules[{place}]", account_id) for place, each in enumerate(given["rules"])]


def _rule(given: object, place: str, account_id: int | None) -> ChaosRule:
    if not isinstance(given, dict):
        raise RuleRejected(f"{place} is {_shown(given)}; it must be an object such as {_EXAMPLE}")
    names = {field.encode_name: field.name for field in msgspec.structs.fields(ChaosRule)}
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
            raise RuleRejected(f"{place}.{name[:60]} is unknown; {advice}")
    values = {names[name]: value for name, value in given.items() if value is not None}
    rule = _Reader(place, values)
    made = ChaosRule(
        path=_path(rule),
        method=cast("Method | None", rule.choice("method", get_args(Method))),
        account_id=rule.integer("account_id", 0, _BIGGEST_ID),
        status=cast("Status | None", rule.choice("status", get_args(Status))),
        retry_after=rule.integer("retry_after", 1, LONGEST_RETRY_AFTER),
        delay_ms=rule.integer("delay_ms", 1, LONGEST_DELAY_MS),
        cut=cast("Cut | None", rule.choice("cut", get_args(Cut))),
        times=rule.integer("times", 1, MOST_TIMES),
        share=_share(rule),
        seed=rule.integer("seed", 0, _BIGGEST_ID) or 0,
    )
    return _checked(made, place, values, account_id)


def _checked(rule: ChaosRule, place: str, values: Mapping[str, object], account_id: int | None) -> ChaosRule:
    if rule.status is None and rule.cut is None and rule.delay_ms is None:
        raise RuleRejected(f"{place} says nothing of what happens; give status, cut or delayMs, as in {_EXAMPLE}")
    if rule.status is not None and rule.cut is not None:
        raise RuleRejected(f"{place} has status {rule.status} and cut {rule.cut!r}; a call has one end, give one")
    if rule.retry_after is not None and rule.status not in _WITH_RETRY_AFTER:
        raise RuleRejected(f"{place}.retryAfter is {rule.retry_after} without status 429 or 503; leave it out")
    if rule.share is None and "seed" in values:
        raise RuleRejected(f"{place}.seed is {rule.seed} without share; give a share such as 0.5, or leave it out")
    if rule.times is None and rule.share is None:
        rule = msgspec.structs.replace(rule, times=1)
    if account_id is None:
        return rule
    if rule.account_id not in (None, account_id):
        raise RuleRejected(
            f"{place}.accountId is {rule.account_id}, and the rules of business unit {account_id} are set; leave it out"
        )
    return msgspec.structs.replace(rule, account_id=account_id)


class _Reader:
    """The fields of one rule; each error names its field."""

    def __init__(self, place: str, values: Mapping[str, object]) -> None:
        self._place = place
        self._values = values

    def get(self, name: str) -> object:
        return self._values.get(name)

    def wrong(self, name: str, wanted: str) -> RuleRejected:
        return RuleRejected(f"{self._place}.{_camel(name)} is {_shown(self._values[name])}; {wanted}")

    def integer(self, name: str, least: int, most: int) -> int | None:
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(name, f"give a whole number from {least} to {most}")
        return value

    def choice(self, name: str, choices: Sequence[object]) -> Any:
        value = self.get(name)
        if value is not None and (isinstance(value, bool) or value not in choices):
            raise self.wrong(name, f"give {', '.join(map(str, choices[:-1]))} or {choices[-1]}")
        return value


def _path(rule: _Reader) -> str:
    value = rule.get("path")
    if value is None:
        return "/**"
    if not isinstance(value, str) or not value.startswith("/") or len(value) > _LONGEST_PATH:
        raise rule.wrong("path", "give a path such as /messaging/v1/email/messages/*")
    segments = segments_of(value)
    if "?" in value or "**" in segments[:-1]:
        raise rule.wrong("path", "give no query, and ** only at the end; * stands for one segment")
    if is_own(segments):
        raise rule.wrong("path", "nothing happens to the sandbox's own calls; give a path of the API")
    return value


def _share(rule: _Reader) -> float | None:
    value = rule.get("share")
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1 or math.isnan(value):
        raise rule.wrong("share", "give a part of the calls, above 0 and up to 1, such as 0.25; 1 is every call")
    return float(value)


def _stands_for(wanted: str, segment: str) -> bool:
    return wanted in ("*", segment) or (wanted.startswith("{") and wanted.endswith("}"))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _shown(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."


_EXAMPLE: Final = '{"method": "POST", "path": "/messaging/v1/email/messages/*", "status": 503}'
