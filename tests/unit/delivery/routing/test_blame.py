"""Which refusals are about our address, and which only look so."""

import pytest

from postroom.bounces.verdict import read_rules
from postroom.delivery.outcome import Deferred, Outcome, Refused, Sent
from postroom.delivery.routing.blame import Blame

BLAMES = Blame(read_rules())
LISTED = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"


def blames(outcome: Outcome, sender: str = "shop@example.com", *recipients: str) -> bool:
    return BLAMES(outcome, sender, recipients or ("ann@one.test",))


@pytest.mark.parametrize("stage", ["mail", "rcpt"])
@pytest.mark.parametrize(
    ("code", "enhanced", "text"),
    [
        (554, "5.7.1", LISTED),
        (
            550,
            "5.7.1",
            "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service "
            "provider since part of their network is on our block list (S3140).",
        ),
        (421, "4.7.1", "421 4.7.1 mail from your IP has been temporarily blocked, its reputation is poor"),
        (554, "", "554 IP=192.0.2.1 - None/bad reputation. Ask your postmaster for help"),
    ],
)
def test_what_receivers_say_of_an_address(stage: str, code: int, enhanced: str, text: str) -> None:
    kind = Refused if code >= 500 else Deferred
    assert blames(kind(code, enhanced, text, stage=stage))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "outcome",
    [
        Sent(250, "2.0.0", "250 2.0.0 not on a blocklist", stage="final"),
        Refused(554, "5.7.1", LISTED, stage="final"),
        Refused(554, "5.7.1", LISTED, stage="data"),
        Refused(550, "5.1.1", "550 5.1.1 no such user here", stage="rcpt"),
        Refused(550, "5.7.1", "550 5.7.1 the very low reputation of the sending domain", stage="rcpt"),
        Refused(550, "5.7.26", "550 5.7.26 Unauthenticated email is not accepted due to DMARC policy", stage="mail"),
        Deferred(450, "4.2.0", "450 4.2.0 <ann@one.test>: greylisted", stage="rcpt"),
        Deferred(None, "", "your ip: the peer closed it", stage="rcpt"),
        Refused(550, "5.6.7", "not sent: your ip does not offer it", stage="mail"),
    ],
)
def test_what_is_about_something_else(outcome: Outcome) -> None:
    assert not blames(outcome)


@pytest.mark.parametrize(
    "outcome",
    [
        Refused(550, "", "550 <Blocklist@one.test>: recipient rejected", stage="rcpt"),
        Refused(550, "", "550 we know of no domain spamhaus.test", stage="rcpt"),
        Refused(550, "5.1.1", "550 5.1.1 <spamcop>: user unknown", stage="rcpt"),
        Deferred(451, "", "451 dnsbl@shop.test: who is that", stage="mail"),
    ],
)
def test_a_recipient_or_sender_named_like_a_block_list_attack_puts_no_address_aside(outcome: Outcome) -> None:
    assert not blames(outcome, "dnsbl@shop.test", "blocklist@one.test", "ann@spamhaus.test")
