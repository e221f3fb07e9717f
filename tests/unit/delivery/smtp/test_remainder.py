"""More recipients than a peer takes at a time: each gets the mail once, or is told of once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.delivery.smtp.test_envelope import Letter

from postroom.delivery.outcome import Attempt, Outcome, Refused, Sent
from postroom.delivery.smtp.dialogue import Finished
from postroom.delivery.smtp.envelope import dot_stuffed
from postroom.delivery.smtp.remainder import MOST_RECIPIENTS, Remainder, is_too_many
from postroom.delivery.smtp.reply import Reply
from postroom.delivery.smtp.session import Session
from postroom.delivery.smtp.state import State
from postroom.delivery.smtp.target import SmtpTarget

BODY = b"Subject: x\r\n\r\n.body\r\n"


@dataclass(frozen=True)
class Mail(Letter):
    """A letter that remembers its outcomes."""

    outcomes: list[Outcome] = field(default_factory=list)

    def finish(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (452, b"too many recipients", True),
        (452, b"4.5.3 Error: too many recipients", True),
        (552, b"too many recipients", True),
        (550, b"5.5.3 too many recipients", True),
        (452, b"4.2.2 mailbox full", False),
        (552, b"5.2.2 mailbox full", False),
        (452, b"4.3.1 insufficient system storage", False),
        (450, b"try again later", False),
        (550, b"5.1.1 no such user", False),
    ],
)
def test_what_is_said_of_too_many(code: int, text: bytes, expected: bool) -> None:
    assert is_too_many(Reply(code, (text,))) is expected


class Peer:
    """Takes up to ``most`` recipients at a time, and otherwise answers as ``answer`` says; counts who got what."""

    def __init__(self, most: int, answer: Callable[[], bytes], extensions: Sequence[bytes]) -> None:
        self.most = most
        self.answer = answer
        self.extensions = extensions
        self.got: Counter[str] = Counter()
        self.bodies: set[bytes] = set()
        self.transactions = 0

    def serve(self, mail: Letter | Remainder) -> Finished:
        """One transaction on a connection of its own, up to its outcome."""
        session = Session(SmtpTarget("mx"), helo="me")
        session.receive(b"220 hi\r\n")
        session.take_output()
        session.receive(b"".join(b"250-%b\r\n" % each for each in self.extensions) + b"250 mx\r\n")
        assert session.state is State.IDLE
        assert session.begin(mail) is None
        self.transactions += 1
        accepted: list[str] = []
        while True:
            written = session.take_output()
            if written.startswith(dot_stuffed(BODY)):
                reply = self.answer()
                if reply.startswith(b"2"):
                    self.got.update(accepted)
                    self.bodies.add(written)
                replies = [reply]
            else:
                replies = [self._command(line, accepted) for line in written.splitlines()]
            events = session.lost("gone") if b"lost" in replies else session.receive(b"".join(replies))
            for event in events:
                if isinstance(event, Finished):
                    return event
            assert written, "the session waits for ever"

    def _command(self, line: bytes, accepted: list[str]) -> bytes:
        if line.startswith(b"MAIL"):
            return b"250 a\r\n"
        if line == b"DATA":
            return b"354 go\r\n" if accepted else b"554 5.5.1 nobody\r\n"
        if len(accepted) >= self.most:
            return b"452 4.5.3 too many recipients\r\n"
        reply = self.answer()
        if reply.startswith(b"2"):
            accepted.append(line.decode().partition("<")[2].partition(">")[0])
        return reply


def deliver(mail: Mail, peer: Peer) -> Outcome:
    """As a pool does it."""
    job: Mail | Remainder = mail
    while True:
        finished = peer.serve(job)
        if not finished.left:
            job.finish(finished.outcome)
            (outcome,) = mail.outcomes
            return outcome
        job = Remainder(job, finished.outcome, finished.left)


ANSWERS = st.sampled_from(
    [
        *[b"250 2.1.5 fine\r\n"] * 4,
        b"452 too many recipients\r\n",
        b"552 too many recipients\r\n",
        b"452 4.2.2 full\r\n",
        b"450 later\r\n",
        b"550 5.1.1 nobody\r\n",
        b"354 what\r\n",
        b"421 bye\r\n",
        b"lost",
    ]
)


@given(
    st.integers(1, 130),
    st.integers(1, 60),
    st.lists(ANSWERS, max_size=12),
    st.sampled_from([(), (b"PIPELINING",), (b"PIPELINING", b"LIMITS RCPTMAX=7")]),
    st.booleans(),
)
def test_any_replies_to_rcpt_give_each_recipient_exactly_one_outcome(
    number: int, most: int, answers: list[bytes], extensions: tuple[bytes, ...], first_decides: bool
) -> None:
    people = tuple(f"p{each}@example.com" for each in range(number))
    said = iter(answers)
    peer = Peer(most, lambda: next(said, b"250 2.1.5 fine\r\n"), extensions)
    outcome = deliver(Mail(recipients=people, data=BODY, first_decides=first_decides), peer)
    assert isinstance(outcome, Attempt)
    told = [recipient for recipient, _ in outcome.refused_recipients]
    assert len(set(told)) == len(told)
    if isinstance(outcome, Sent):
        assert peer.got == Counter(set(people) - set(told))
        assert len(peer.bodies) == 1
        assert not first_decides or people[0] in peer.got
    else:
        assert not peer.got
        assert first_decides or not told or set(told) <= set(people)


def test_a_hundred_are_named_at_a_time_even_if_nobody_asks_for_it() -> None:
    people = tuple(f"p{each}@example.com" for each in range(2 * MOST_RECIPIENTS + 1))
    peer = Peer(1000, lambda: b"250 fine\r\n", (b"PIPELINING",))
    assert isinstance(deliver(Mail(recipients=people, data=BODY), peer), Sent)
    assert (peer.transactions, len(peer.got)) == (3, len(people))


def test_copies_that_nobody_takes_each_have_their_own_reply() -> None:
    said = iter([b"550 5.1.1 nobody\r\n", b"450 4.2.1 later\r\n"])
    mail = Mail(recipients=("a@example.com", "b@example.com"), data=BODY, first_decides=False)
    outcome = deliver(mail, Peer(10, lambda: next(said), (b"PIPELINING",)))
    assert not isinstance(outcome, Sent)
    assert outcome.refused_recipients == (("a@example.com", "550 5.1.1 nobody"), ("b@example.com", "450 4.2.1 later"))


def test_the_first_transaction_decides_and_what_happens_to_the_rest_is_told() -> None:
    mail = Mail(recipients=("a@example.com", "b@example.com", "c@example.com"), data=BODY)
    rest = Remainder(
        mail, Sent(250, "", "250 queued", refused_recipients=(("b@example.com", "550 no"),)), ("c@example.com",)
    )
    rest.finish(Refused(550, "", "550 never"))
    (outcome,) = mail.outcomes
    assert isinstance(outcome, Sent)
    assert outcome.text == "250 queued"
    assert outcome.refused_recipients == (("b@example.com", "550 no"), ("c@example.com", "550 never"))
