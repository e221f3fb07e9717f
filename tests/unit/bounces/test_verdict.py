"""Whose fault a refusal is: real-world replies, the order of rules, and files that can't be used."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.bounces.replies import REPLIES

from postroom.bounces.verdict import UNKNOWN, Reply, RulesRejected, Verdict, bounce_evidence, read_rules

RULES = read_rules()


def judged(text: str, stage: str = "") -> str:
    """The verdict on a final refusal, as the table writes it."""
    verdict = RULES.judge(Reply(text, "5.0.0", stage=stage))
    return f"{verdict.fault} {verdict.permanence} {verdict.category}"


@pytest.mark.parametrize(("who", "text", "expected"), REPLIES)
def test_a_reply_of_the_real_world(who: str, text: str, expected: str) -> None:
    assert judged(text) == expected


def test_the_table_is_of_many_receivers() -> None:
    assert len(REPLIES) >= 80
    assert len({who for who, _, _ in REPLIES}) >= 25
    assert max(Counter(text for _, text, _ in REPLIES).values()) == 1


def test_only_the_recipient_s_own_permanent_failure_suppresses() -> None:
    for _, text, expected in REPLIES:
        assert RULES.judge(Reply(text, "5.0.0")).suppresses == expected.startswith("recipient hard"), text


def test_the_same_text_in_a_class_that_may_pass_suppresses_nobody() -> None:
    assert not RULES.judge(Reply("450 4.1.1 user unknown")).suppresses
    assert not RULES.judge(Reply("the user account is disabled", "4.2.1")).suppresses


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "starttls", "auth", "mail"])
def test_what_is_refused_before_any_recipient_was_named_is_not_the_recipient_s_fault(stage: str) -> None:
    assert judged("550 5.1.1 no such user", stage="rcpt") == "recipient hard no-such-user"
    assert judged("550 5.1.1 no such user", stage=stage) == "infrastructure technical refused-before-recipient"


def test_a_status_that_says_nothing_gives_way_to_the_code_in_the_text() -> None:
    assert Reply("smtp; 550 5.1.1 sorry", "5.0.0").code == "5.1.1"
    assert Reply("smtp; 550 5.1.1 sorry", "5.7.1").code == "5.7.1"
    assert Reply("host 192.0.2.5 said no").code == ""
    assert Reply("said: 552-5.2.2 full").reply_code == "552"


@given(st.text(max_size=3000), st.text(max_size=8), st.none() | st.integers(0, 999), st.text(max_size=20))
def test_no_text_raises(text: str, enhanced: str, basic: int | None, host: str) -> None:
    assert isinstance(RULES.judge(Reply(text, enhanced, basic, host)), Verdict)


RULE = '[[rule]]\nname = "one"\nfault = "policy"\npermanence = "block"\ncategory = "mine"\n'


def test_the_first_rule_that_holds_decides() -> None:
    text = RULE + 'text = ["go * away"]\n' + RULE.replace("one", "two") + 'reply = ["5xx"]\nhost = ["example.net"]\n'
    rules = read_rules(text)
    assert rules.judge(Reply("550 Go right away", host="mx.example.net")).rule == "one"
    assert rules.judge(Reply("550 No", host="MX.example.net.")).rule == "two"
    assert rules.judge(Reply("550 No", host="mx.notexample.net")) == UNKNOWN
    assert rules.judge(Reply("450 No", host="example.net")) == UNKNOWN


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = ", "no TOML"),
        ("", "there is no rule"),
        ("[default]", "'default' is unknown"),
        ('[[rule]]\nname = "A b"', "name = 'A b'"),
        (RULE, "give code, reply, host or text"),
        (RULE + 'txt = ["a"]', "'txt' is unknown; use name, fault"),
        (RULE + 'text = "a"', "text must be a list"),
        (RULE + "text = []", "text is an empty list"),
        (RULE + 'code = ["511"]', "write 5.1.1"),
        (RULE + 'reply = ["5.1"]', "write 550"),
        (RULE.replace("policy", "them") + 'reply = ["550"]', "fault = 'them'; use recipient, sender"),
        (RULE.replace("block", "ever") + 'reply = ["550"]', "permanence = 'ever'; use hard"),
        ((RULE + 'reply = ["550"]\n') * 2, "rule 2: name 'one' is taken"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_place_and_fix(text: str, says: str) -> None:
    with pytest.raises(RulesRejected) as refused:
        read_rules(text, source="mine.toml")
    assert str(refused.value).startswith("mine.toml")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("host", "reply", "evidence"),
    [
        ("mx.example.net", "550 no", "mx.example.net said: 550 no (rule r)"),
        ("", "550 no", "a mail system said: 550 no (rule r)"),
        ("", "not sent: the domain a.example does not exist", "not sent: the domain a.example does not exist (rule r)"),
    ],
)
def test_the_evidence_of_a_suppression_says_who_said_it(host: str, reply: str, evidence: str) -> None:
    assert bounce_evidence(host, reply, Verdict("recipient", "hard", "no-such-user", "r")) == evidence
