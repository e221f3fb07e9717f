"""What addresses that fail stand for, and what the rules for bounces make of their replies."""

import re
from pathlib import Path

import pytest

import postroom
from postroom.bounces.verdict import Reply, read_rules
from postroom.sandbox.simulator import BEHAVIOURS, Simulator, behaviour_of

SOURCE = Path(postroom.__file__).parent
RULES = read_rules()


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("unknown-user@simulator.test", "unknown-user"),
        ("Unknown-User+a+b@SIMULATOR.TEST", "unknown-user"),
        ("size+@simulator.test", "size"),
    ],
)
def test_the_local_part_up_to_the_plus_names_the_behaviour(address: str, name: str) -> None:
    assert behaviour_of(address) is BEHAVIOURS[name]


@pytest.mark.parametrize(
    "address", ["unknown-user@example.org", "unknown-user@x.simulator.test", "unknown-user@simulator.test.org", "size"]
)
def test_other_domains_are_nothing_special(address: str) -> None:
    assert behaviour_of(address) is None
    assert Simulator().refusal(address) is None
    assert Simulator().final([address]) is None


def test_a_name_that_is_none_is_refused_as_an_unknown_user() -> None:
    refusal = Simulator().refusal("spam-trap@simulator.test")
    assert refusal is not None
    assert RULES.judge(Reply(refusal)).category == "no-such-user"


@pytest.mark.parametrize(
    ("name", "fault", "permanence"),
    [
        ("unknown-user", "recipient", "hard"),
        ("disabled", "recipient", "hard"),
        ("over-quota", "recipient", "soft"),
        ("mailbox-full", "recipient", "soft"),
        ("blocked", "sender", "block"),
        ("spam", "sender", "block"),
        ("size", "sender", "soft"),
        ("greylisted", "policy", "soft"),
        ("busy", "infrastructure", "soft"),
    ],
)
def test_replies_mean_what_their_names_say(name: str, fault: str, permanence: str) -> None:
    behaviour = BEHAVIOURS[name]
    verdict = RULES.judge(Reply(behaviour.rcpt or behaviour.final or ""))
    assert (verdict.fault, verdict.permanence) == (fault, permanence), verdict


def test_replies_are_whole_lines_that_smtp_can_carry() -> None:
    for name, behaviour in BEHAVIOURS.items():
        assert re.fullmatch(r"[a-z-]+", name)
        for reply in filter(None, (behaviour.rcpt, behaviour.final)):
            code, enhanced, _ = reply.split(" ", 2)
            assert code[0] == enhanced[0]
            assert len(reply) < 500
            assert reply.isascii()
            assert reply.isprintable()


def test_what_fails_only_at_first_is_remembered_by_address() -> None:
    simulator = Simulator()
    assert simulator.refusal("greylisted+a@simulator.test")
    assert simulator.refusal("GREYLISTED+A@simulator.test") is None
    assert simulator.refusal("greylisted+b@simulator.test")
    assert simulator.final(["cut+a@simulator.test"]) is BEHAVIOURS["cut"]
    assert simulator.final(["cut+a@simulator.test"]) is None


def test_a_mailbox_remembers_ten_thousand_addresses_and_no_more() -> None:
    simulator = Simulator()
    for number in range(10_001):
        assert simulator.refusal(f"greylisted+{number}@simulator.test")
    assert simulator.refusal("greylisted+1@simulator.test") is None
    assert simulator.refusal("greylisted+0@simulator.test")


def test_the_first_recipient_that_asks_for_something_decides_behind_the_dot() -> None:
    simulator = Simulator()
    recipients = ["a@example.org", "accepted@simulator.test", "spam@simulator.test", "size@simulator.test"]
    assert simulator.final(recipients) is BEHAVIOURS["spam"]


def test_nothing_but_the_sandbox_knows_of_the_simulator() -> None:
    naming = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if re.search(r"simulator|chaos", path.read_text(encoding="utf-8"), re.IGNORECASE)
    }
    assert {name for name in naming if not name.startswith("sandbox/")} <= {"assembly/sandbox.py", "assembly/roles.py"}
