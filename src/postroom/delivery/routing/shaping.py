"""How fast a provider may be fed: the rules, and what is learned beyond them.

The rules are ``shaping.toml`` or a file of the same form. An ``Allowance`` is one provider's: it says whether one
more message may begin, goes down when the provider complains (421, 4.7.x, connections refused), and comes back
slowly. Pure: the clock is an argument.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from postroom.delivery.outcome import Deferred, Outcome, Refused, Sent
from postroom.delivery.routing.host_name import is_host_name

COMPLAINT_GAP_SECONDS = 5.0
"""Complaints closer together than this are one: messages under way together are refused together."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
RECOVERY_SECONDS = 60.0
"""Without complaint for so long, a share of what was taken away comes back."""
RECOVERY_FACTOR = 1.25
LOWEST_SHARE = 0.02

_LIMITS = {"connections": (1, 1000), "messages": (1, 100_000), "per_second": (0, 100_000)}


class ShapingRejected(ValueError):
    """The rule file cannot be used; the text names the place, the value and the fix."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a provider is given at most, by one delivery process."""

    provider: str
    connections: int
    messages: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Shaping:
    """The rules: patterns in order, and what is left."""

    default: Limits
    patterns: tuple[tuple[str, Limits], ...]

    def limits(self, host: str) -> Limits:
        """The limits for a site whose most preferred host has this name; ``provider`` is empty for the default."""
        for pattern, limits in self.patterns:
            if host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:])):
                return limits
        return self.default


def read_shaping(text: str | None = None, *, source: str = "shaping.toml") -> Shaping:
    """The rules in a text, or those that come with Postroom. Raises ShapingRejected."""
    if text is None:
        text = files("postroom.delivery.routing").joinpath("shaping.toml").read_text(encoding="utf-8")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise ShapingRejected(f"{source} is no TOML file: {wrong}") from None
    unknown = table.keys() - {"default", "provider"}
    if unknown:
        raise ShapingRejected(f"{source}: {min(unknown)!r} is unknown; write [default] and [[provider]]")
    start = Limits("", 5, 100, 0.0)
    default = _limits(table.get("default", {}), start, f"{source}, [default]", frozenset())
    patterns: list[tuple[str, Limits]] = []
    names: set[str] = set()
    providers = table.get("provider", [])
    if not isinstance(providers, list):
        raise ShapingRejected(f"{source}: provider must be written [[provider]], once for each")
    for number, entry in enumerate(providers, 1):
        place = f"{source}, provider {number}"
        limits = _limits(entry, default, place, frozenset({"name", "mx"}))
        if not limits.provider or limits.provider in names:
            raise ShapingRejected(f"{place}: name is {limits.provider!r}; give each provider a name of its own")
        names.add(limits.provider)
        hosts = entry.get("mx")
        if not isinstance(hosts, list) or not hosts or not all(isinstance(host, str) and host for host in hosts):
            raise ShapingRejected(f'{place}: mx must be a list of host patterns, such as ["*.example.net"]')
        for host in hosts:
            if "*" in host.removeprefix("*."):
                raise ShapingRejected(f"{place}: mx has {host!r}; a * may only stand at the beginning, as *.")
            if not is_host_name(host.removeprefix("*.").lower()):
                raise ShapingRejected(f"{place}: mx has {host!r}, which is no host name; write it like *.example.net")
            patterns.append((host.lower(), limits))
    return Shaping(default, tuple(patterns))


def _limits(entry: object, otherwise: Limits, place: str, also: frozenset[str]) -> Limits:
    if not isinstance(entry, Mapping):
        raise ShapingRejected(f"{place}: it must be a table")
    unknown = entry.keys() - _LIMITS.keys() - also
    if unknown:
        raise ShapingRejected(f"{place}: {min(unknown)!r} is unknown; write {', '.join(_LIMITS)}")
    values: dict[str, float] = {}
    for name, (low, high) in _LIMITS.items():
        value = entry.get(name, getattr(otherwise, name))
        whole = isinstance(value, int) or name == "per_second"
        if isinstance(value, bool) or not isinstance(value, int | float) or not whole or not low <= value <= high:
            raise ShapingRejected(f"{place}: {name} = {value!r}; give a number from {low} to {high}")
        values[name] = value
    provider = entry.get("name", "")
    if not isinstance(provider, str):
        raise ShapingRejected(f"{place}: name = {provider!r}; give a text")
    return Limits(provider, int(values["connections"]), int(values["messages"]), float(values["per_second"]))


def is_complaint(outcome: Outcome) -> bool:
    """Whether a provider asks for less: 421, or 4.7.x. What is about one recipient or one mail is not."""
    return isinstance(outcome, Deferred) and (outcome.code == 421 or outcome.enhanced.startswith("4.7."))


class Allowance:
    """What one provider is given now: messages under way, messages a second, pauses. Times on one clock, seconds."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = limits
        self.under_way = 0
        self.share = 1.0
        """Of the limits; below 1 after complaints."""
        self._paused_until = now
        self._pause = 0.0
        self._complained_at = -COMPLAINT_GAP_SECONDS
        self._recovered_at = now
        self._next_at = now

    @property
    def connections(self) -> int:
        """How many messages may be under way at the same time, now."""
        return max(1, int(self.limits.connections * self.share))

    def wait(self, now: float) -> float:
        """Seconds until one more message may begin: 0 at once; infinite when one must end first."""
        self._recover(now)
        if now < self._paused_until:
            return self._paused_until - now
        if self.under_way >= self.connections:
            return float("inf")
        return max(0.0, self._next_at - now)

    def begin(self, now: float) -> None:
        """One message begins; only when ``wait`` is 0."""
        self.under_way += 1
        if self.limits.per_second:
            # A moment without work does not save up: never more than the rate, whatever the second.
            self._next_at = max(self._next_at, now) + 1.0 / (self.limits.per_second * self.share)

    def end(self, outcome: Outcome, now: float) -> None:
        """It ended so."""
        self.under_way -= 1
        if is_complaint(outcome):
            self.complain(now)
        elif isinstance(outcome, Sent | Refused):
            self._pause = 0.0

    def complain(self, now: float) -> None:
        """The provider asks for less: half of what there was, after a pause that doubles each time."""
        if now - self._complained_at < COMPLAINT_GAP_SECONDS:
            return
        self._complained_at = self._recovered_at = now
        self.share = max(LOWEST_SHARE, self.share / 2)
        self._pause = min(LONGEST_PAUSE_SECONDS, max(FIRST_PAUSE_SECONDS, self._pause * 2))
        self._paused_until = now + self._pause

    def _recover(self, now: float) -> None:
        if self.share < 1.0 and now - self._recovered_at >= RECOVERY_SECONDS:
            steps = int((now - self._recovered_at) / RECOVERY_SECONDS)
            self.share = min(1.0, self.share * RECOVERY_FACTOR ** min(steps, 50))
            self._recovered_at = now
