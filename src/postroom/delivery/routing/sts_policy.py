"""MTA-STS policies as text (RFC 8461 §3): the DNS record that announces one, and the policy itself. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

LONGEST_POLICY = 65_536
LONGEST_AGE = 31_557_600
"""Seconds: the most that RFC 8461 §3.2 allows."""
MOST_PATTERNS = 100

Mode: TypeAlias = Literal["enforce", "testing", "none"]

_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_PATTERN = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class PolicyInvalid(ValueError):
    """What was fetched is no policy; the text says why."""


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """``mx`` are host names, or patterns whose first label is ``*``; ``max_age`` is in seconds."""

    mode: Mode
    mx: tuple[str, ...]
    max_age: int

    def allows(self, host: str) -> bool:
        """Whether an MX host (lower case, A-labels) is one of the policy's; ``*`` stands for one label."""
        rest = host.partition(".")[2]
        return any(rest == pattern[2:] if pattern.startswith("*.") else host == pattern for pattern in self.mx)

    @property
    def lines(self) -> tuple[str, ...]:
        """The policy as its file would say it, for reports."""
        patterns = (f"mx: {pattern}" for pattern in self.mx)
        return ("version: STSv1", f"mode: {self.mode}", *patterns, f"max_age: {self.max_age}")


def announced_id(texts: Sequence[str]) -> str:
    """The id in the TXT records of ``_mta-sts.<domain>``; empty unless exactly one announces a policy (§3.1)."""
    records = [text for text in texts if re.match(r"v=STSv1\s*;", text)]
    if len(records) != 1:
        return ""
    for part in records[0].split(";")[1:]:
        name, _, value = part.strip().partition("=")
        if name.strip() == "id":
            return value.strip() if _ID.fullmatch(value.strip()) else ""
    return ""


def read_policy(body: bytes) -> StsPolicy:
    """Read a policy file (§3.2); what it does not know is passed over. Raises PolicyInvalid."""
    if len(body) > LONGEST_POLICY:
        raise PolicyInvalid(f"it is larger than {LONGEST_POLICY:,} bytes")
    fields: dict[str, str] = {}
    patterns: list[str] = []
    for line in body.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if colon and name == "mx":
            patterns.append(value.lower().rstrip("."))
        elif colon:
            # Of a field that stands there twice the first counts.
            fields.setdefault(name, value)
    if fields.get("version") != "STSv1":
        raise PolicyInvalid("it does not say version: STSv1")
    mode = fields.get("mode")
    if mode not in ("enforce", "testing", "none"):
        raise PolicyInvalid("its mode is not one of enforce, testing, none")
    age = fields.get("max_age", "")
    if not re.fullmatch(r"[0-9]{1,10}", age, re.ASCII) or int(age) > LONGEST_AGE:
        raise PolicyInvalid(f"its max_age is not a number of seconds up to {LONGEST_AGE}")
    if len(patterns) > MOST_PATTERNS:
        raise PolicyInvalid(f"it names more than {MOST_PATTERNS} MX hosts")
    if any(_PATTERN.fullmatch(pattern) is None or len(pattern) > 253 for pattern in patterns):
        raise PolicyInvalid("one of its mx is no host name")
    if mode != "none" and not patterns:
        raise PolicyInvalid("it names no MX host")
    return StsPolicy(cast(Mode, mode), tuple(patterns), int(age))
