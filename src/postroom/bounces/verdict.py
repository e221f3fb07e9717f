"""Whose fault a refusal is, how lasting, and of which kind: a verdict, found by an ordered list of rules.

The rules are ``rules.toml`` or a file of the same form; the first that holds decides. Pure: text in, value out. Only a
verdict that blames the recipient's own address and is hard suppresses anything. What no rule knows is nobody's fault
for certain, and so nobody is suppressed for it.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Literal, TypeAlias, get_args

import msgspec

Fault: TypeAlias = Literal["recipient", "sender", "policy", "infrastructure"]
Permanence: TypeAlias = Literal["hard", "soft", "block", "technical"]

LONGEST_TEXT = 2_000
"""Characters of a reply that are looked at."""

# What was refused before RCPT was refused whoever the recipient is.
_BEFORE_RECIPIENT = frozenset({"greeting", "ehlo", "starttls", "auth", "mail"})

_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_BASIC = re.compile(r"(?<![\d.])([245]\d\d)(?=[ \-#(]|$)")
_REPEATED = re.compile(r"(?<![\d.])(?:[245]\d\d[ -])?#?[245]\.\d{1,3}\.\d{1,3}(?![\d.]*\d)")
_BLANKS = re.compile(r"\s+")
_CURLY = str.maketrans("’‘“”`", "''\"\"'")

_CODE_PATTERN = re.compile(r"(?:[245x])\.(?:\d{1,3}|\*)\.(?:\d{1,3}|\*)\Z")
_REPLY_PATTERN = re.compile(r"[245](?:\d\d|\dx|xx)\Z")
_GAP = ".{0,60}?"


class RulesRejected(ValueError):
    """The rule file cannot be used; the text names the place, the value and the fix."""


class Verdict(msgspec.Struct, frozen=True):
    """Whose fault, how lasting, what kind; ``rule`` is the rule that said so."""

    fault: Fault
    permanence: Permanence
    category: str
    rule: str

    @property
    def suppresses(self) -> bool:
        """Whether mail to this address will never arrive, for a reason that lies in the address."""
        return self.fault == "recipient" and self.permanence == "hard"

    @property
    def counts(self) -> bool:
        """Whether the recipient's own mailbox takes nothing for now. One that only takes so much at a time works."""
        return self.fault == "recipient" and self.permanence == "soft" and self.category != "rate"


def bounce_evidence(host: str, reply: str, verdict: Verdict) -> str:
    """What is kept beside an address that is suppressed for a refusal."""
    # What the DNS forbids nobody said: the text is our own and begins so.
    said = reply if not host and reply.startswith("not sent: ") else f"{host or 'a mail system'} said: {reply}"
    return said + f" (rule {verdict.rule})" * bool(verdict.rule)


UNKNOWN = Verdict("infrastructure", "technical", "unknown", "")
"""What no rule knows."""

_TOO_EARLY = Verdict("infrastructure", "technical", "refused-before-recipient", "")


@dataclass(frozen=True)
class Reply:
    """What a receiver said. ``enhanced`` and ``basic`` are looked for in the text when they are not given; ``host`` is
    the name of who said it; ``stage`` is where in an SMTP dialogue, empty when that is not known."""

    text: str
    enhanced: str = ""
    basic: int | None = None
    host: str = ""
    stage: str = ""

    @cached_property
    def code(self) -> str:
        """The enhanced code (RFC 3463): the given one, unless it says nothing and the text says more."""
        if self.enhanced and not self.enhanced.endswith(".0.0"):
            return self.enhanced
        found = _ENHANCED.search(self.text[:LONGEST_TEXT])
        return found[0] if found else self.enhanced

    @cached_property
    def reply_code(self) -> str:
        """The SMTP reply code as text, empty when there is none."""
        if self.basic is not None:
            return str(self.basic)
        found = _BASIC.search(self.text[:LONGEST_TEXT])
        return found[1] if found else ""

    @cached_property
    def folded(self) -> str:
        """Small letters on one line, without the codes that long replies repeat in each line."""
        plain = _REPEATED.sub(" ", self.text[:LONGEST_TEXT].translate(_CURLY))
        return _BLANKS.sub(" ", plain).strip().lower()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: everything that it names must hold, and of each list one entry."""

    verdict: Verdict
    codes: re.Pattern[str] | None
    replies: re.Pattern[str] | None
    hosts: tuple[str, ...]
    phrases: tuple[str, ...]
    gapped: tuple[tuple[str, re.Pattern[str]], ...]
    """Phrases with gaps, each after what it begins with, which is quicker to look for."""

    def holds(self, reply: Reply) -> bool:
        """Whether it is about this reply."""
        if self.codes is not None and not self.codes.fullmatch(reply.code):
            return False
        # The class is known from either code, the rest only from the reply code.
        if self.replies is not None and not self.replies.fullmatch(reply.reply_code or reply.code[:1] + "--"):
            return False
        if self.hosts:
            host = "." + reply.host.lower().rstrip(".")
            if not any(host.endswith(each) for each in self.hosts):
                return False
        if not self.phrases and not self.gapped:
            return True
        folded = reply.folded
        for phrase in self.phrases:  # a loop, for it runs through hundreds of phrases for one reply
            if phrase in folded:
                return True
        return any(begin in folded and pattern.search(folded) is not None for begin, pattern in self.gapped)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in their order."""

    rules: tuple[Rule, ...]

    def judge(self, reply: Reply) -> Verdict:
        """The verdict on a refusal."""
        verdict = next((rule.verdict for rule in self.rules if rule.holds(reply)), UNKNOWN)
        if verdict.suppresses and reply.stage in _BEFORE_RECIPIENT:
            return _TOO_EARLY
        return verdict


def read_rules(text: str | None = None, *, source: str = "rules.toml") -> Rules:
    """The rules in a text, or those that come with Postroom. Raises RulesRejected."""
    if text is None:
        text = files("postroom.bounces").joinpath("rules.toml").read_text(encoding="utf-8")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise RulesRejected(f"{source} is no TOML file: {wrong}") from None
    if unknown := table.keys() - {"rule"}:
        raise RulesRejected(f"{source}: {min(unknown)!r} is unknown; write [[rule]], once for each")
    entries = table.get("rule", [])
    if not isinstance(entries, list) or not entries:
        raise RulesRejected(f"{source}: there is no rule; write [[rule]], once for each")
    rules: list[Rule] = []
    names: set[str] = set()
    for number, entry in enumerate(entries, 1):
        rule = _rule(entry, f"{source}, rule {number}")
        if rule.verdict.rule in names:
            raise RulesRejected(f"{source}, rule {number}: name {rule.verdict.rule!r} is taken; give it another")
        names.add(rule.verdict.rule)
        rules.append(rule)
    return Rules(tuple(rules))


_FIELDS = ("name", "fault", "permanence", "category", "code", "reply", "host", "text")


def _rule(entry: object, place: str) -> Rule:
    if not isinstance(entry, Mapping):
        raise RulesRejected(f"{place}: it must be a table; write [[rule]]")
    if unknown := entry.keys() - set(_FIELDS):
        raise RulesRejected(f"{place}: {min(unknown)!r} is unknown; use {', '.join(_FIELDS)}")
    name = _word(entry, "name", place)
    place = f"{place} ({name})"
    fault = _choice(entry, "fault", get_args(Fault), place)
    permanence = _choice(entry, "permanence", get_args(Permanence), place)
    verdict = Verdict(fault, permanence, _word(entry, "category", place), name)
    codes = _list(entry, "code", place)
    for each in codes:
        if not _CODE_PATTERN.match(each):
            raise RulesRejected(f"{place}: code has {each!r}; write 5.1.1, 5.7.* or x.1.1, x being any class")
    replies = _list(entry, "reply", place)
    for each in replies:
        if not _REPLY_PATTERN.match(each):
            raise RulesRejected(f"{place}: reply has {each!r}; write 550, 55x or 5xx")
    phrases = _list(entry, "text", place)
    if not (codes or replies or phrases or "host" in entry):
        raise RulesRejected(f"{place}: it says nothing of when it holds; give code, reply, host or text")
    return Rule(
        verdict,
        _any_of(each.replace(".", r"\.").replace("*", r"\d{1,3}").replace("x", "[245]") for each in codes),
        _any_of(each.replace("xx", r"[\d-]{2}").replace("x", r"\d") for each in replies),
        tuple("." + each.lower().strip(".") for each in _list(entry, "host", place)),
        tuple(each.lower() for each in phrases if "*" not in each),
        tuple(_gapped(each.lower().split("*")) for each in phrases if "*" in each),
    )


def _any_of(patterns: Any) -> re.Pattern[str] | None:
    joined = "|".join(patterns)
    return re.compile(joined) if joined else None


def _gapped(parts: list[str]) -> tuple[str, re.Pattern[str]]:
    return parts[0], re.compile(_GAP.join(map(re.escape, parts)))


def _word(entry: Mapping[str, object], name: str, place: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", value):
        raise RulesRejected(f"{place}: {name} = {value!r}; give words of small letters with hyphens between them")
    return value


def _choice(entry: Mapping[str, object], name: str, choices: tuple[str, ...], place: str) -> Any:
    value = entry.get(name)
    if value not in choices:
        raise RulesRejected(f"{place}: {name} = {value!r}; use {', '.join(choices)}")
    return value


def _list(entry: Mapping[str, object], name: str, place: str) -> list[str]:
    value = entry.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip(" *") for each in value):
        raise RulesRejected(f"{place}: {name} must be a list of texts")
    if name in entry and not value:
        raise RulesRejected(f"{place}: {name} is an empty list; leave it out")
    return value
