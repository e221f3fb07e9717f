"""Telling persons from machines: the verdict that is stored with each open and click.

The rules are in ``machines.toml``, in the order in which they are asked. They judge what a request says of itself, so
a machine that says nothing is taken for a person.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
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


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    verdict: Verdict
    reason: str
    user_agent: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    method: str | None = None
    kind: Literal["opened", "clicked"] | None = None
    burst: int = 0

    def matches(self, visit: Visit, user_agent: str) -> bool:
        if self.kind is not None and self.kind != visit.kind:
            return False
        if self.method is not None and self.method != visit.method:
            return False
        if visit.links < self.burst:
            return False
        if self.header and not any(_says(hint, text) for hint in visit.hints for text in self.header):
            return False
        return not self.user_agent or any(
            user_agent == text[1:].lower() if text.startswith("=") else text in user_agent for text in self.user_agent
        )


class _Rules(msgspec.Struct, forbid_unknown_fields=True):
    rule: tuple[_Rule, ...]


def _says(hint: str, text: str) -> bool:
    name, _, value = text.partition(": ")
    return hint.startswith(f"{name}: ") and value in hint


@dataclass(frozen=True)
class MachineRules:
    """The rules in their order; ``headers`` are the names of the request headers they ask for."""

    rules: Sequence[_Rule]
    headers: frozenset[bytes]

    def judge(self, visit: Visit) -> Judgement:
        """What the first rule that matches says."""
        user_agent = visit.user_agent.lower().strip()
        for rule in self.rules:
            if rule.matches(visit, user_agent):
                return Judgement(rule.verdict, rule.reason)
        return Judgement("person", "")


def read_rules(text: str) -> MachineRules:
    """The rules of a file. Raises tomllib.TOMLDecodeError and msgspec.ValidationError."""
    rules = msgspec.convert(tomllib.loads(text), _Rules).rule
    headers = frozenset(each.partition(":")[0].encode() for rule in rules for each in rule.header)
    return MachineRules(rules, headers)


def own_rules() -> MachineRules:
    """The rules that come with Postroom."""
    return read_rules(files("postroom.events").joinpath("machines.toml").read_text(encoding="utf-8"))
