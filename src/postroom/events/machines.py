"""Telling persons from machines: the verdict that is stored with each open and click.

The rules are in ``machines.toml``, in the order in which they are asked. They judge what a request says of itself, so
a machine that says nothing is taken for a person.
"""

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import Literal, NamedTuple, TypeAlias

import msgspec

Verdict: TypeAlias = Literal["person", "proxy", "machine"]


class Visit(NamedTuple):
    """One request. ``hints`` are the headers that rules ask for, as ``name: value`` in lower case; ``links`` counts
    the different links of the mail that were asked for within the second before."""

    kind: Literal["opened", "clicked"]
    method: str
    user_agent: str
    hints: tuple[str, ...]
    links: int


class Judgement(NamedTuple):
    """A verdict, and the rule it comes from; a person's has no reason."""

    verdict: Verdict
    reason: str


_PERSON = Judgement("person", "")
_REMEMBERED = 2_000


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    verdict: Verdict
    reason: str
    user_agent: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    method: str | None = None
    kind: Literal["opened", "clicked"] | None = None
    burst: int = 0

    def fits(self, user_agent: str) -> bool:
        """Whether it can match at all for a user agent, in lower case."""
        return not self.user_agent or any(
            user_agent == text[1:].lower() if text.startswith("=") else text in user_agent for text in self.user_agent
        )

    def matches(self, visit: Visit) -> bool:
        """Whether what it names beside the user agent is so."""
        if self.kind is not None and self.kind != visit.kind:
            return False
        if self.method is not None and self.method != visit.method:
            return False
        if visit.links < self.burst:
            return False
        return not self.header or any(_says(hint, text) for hint in visit.hints for text in self.header)


class _Rules(msgspec.Struct, forbid_unknown_fields=True):
    rule: tuple[_Rule, ...]


def _says(hint: str, text: str) -> bool:
    name, _, value = text.partition(": ")
    return hint.startswith(f"{name}: ") and value in hint


class MachineRules:
    """The rules in their order; ``headers`` are the names of the request headers they ask for."""

    def __init__(self, rules: Sequence[_Rule]) -> None:
        self.headers = frozenset(each.partition(":")[0].encode() for rule in rules for each in rule.header)
        self._rules = rules
        # The same user agents come again and again: which rules are left for each is worked out once.
        self._left: dict[str, Sequence[_Rule]] = {}

    def judge(self, visit: Visit) -> Judgement:
        """What the first rule that matches says."""
        left = self._left.get(visit.user_agent)
        if left is None:
            if len(self._left) >= _REMEMBERED:
                self._left.clear()
            user_agent = visit.user_agent.lower().strip()
            left = self._left[visit.user_agent] = [rule for rule in self._rules if rule.fits(user_agent)]
        for rule in left:
            if rule.matches(visit):
                return Judgement(rule.verdict, rule.reason)
        return _PERSON


def read_rules(text: str) -> MachineRules:
    """The rules of a file. Raises tomllib.TOMLDecodeError and msgspec.ValidationError."""
    return MachineRules(msgspec.convert(tomllib.loads(text), _Rules).rule)


def own_rules() -> MachineRules:
    """The rules that come with Postroom."""
    return read_rules(files("postroom.events").joinpath("machines.toml").read_text(encoding="utf-8"))
