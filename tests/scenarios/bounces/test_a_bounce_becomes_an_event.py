"""A mail goes out with a return path of its own; its bounce is an event, a suppression and a webhook."""

import re

from tests.conformance.house import ACCOUNT, House
from tests.scenarios.bounces.post import Post, about, taking
from tests.scenarios.delivery.relay import relay
from tests.scenarios.ens.receiver import events_worker, receiving, subscribe, telling
from tests.unit.bounces.mails import EXCHANGE, EXIM_OLD, VACATION, complaint, postfix

from postroom.audience.suppression import suppressed
from postroom.events.subscriptions import EMAIL_BOUNCED, EMAIL_SENT

REPLY = "550 5.1.1 <k1@example.com>: Recipient address rejected: User unknown in local recipient table"
TYPES = (EMAIL_SENT, EMAIL_BOUNCED)


async def test_each_mail_has_a_return_path_of_its_own_the_same_on_every_attempt(post: Post) -> None:
    def once_later(_key: str, attempt: int) -> str:
        return "451 later" if attempt == 1 else "250 ok"

    async with relay(once_later) as peer:
        one, two = await post.sent(["k1", "k2"], peer)
        assert re.fullmatch(r"b\+[a-z2-7]{13}[0-9a-f]{48}@bounces\.example\.com", one)
        assert one != two
        mark = post.paths.read(two.partition("@")[0])
        assert mark is not None
        assert (mark.account_id, mark.position, mark.copies) == (ACCOUNT, 1, False)
    assert peer.senders["k1"] == [one, one]
    assert b"From: Postroom <shop@example.com>" in peer.bodies["k1"][0], "the mail itself says who it is from"


async def test_a_hard_bounce_is_told_and_the_address_gets_no_more_mail(house: House, post: Post) -> None:
    async with relay() as peer, receiving() as hooks, telling(events_worker(house)):
        await subscribe(house, hooks.url, types=TYPES)
        (path,) = await post.sent(["k1"], peer)
        reply = await post.deliver(about(postfix(), path, "k1@example.com"), path.upper())
        assert reply == "250 2.0.0 Ok: recorded"
        assert await post.events("k1") == [
            (
                "bounced",
                {
                    "verdict": {
                        "fault": "recipient",
                        "permanence": "hard",
                        "category": "no-such-user",
                        "rule": "no-such-user",
                    },
                    "enhanced": "5.1.1",
                    "reply": REPLY,
                    "host": "mx.example.net",
                    "reporting_mta": "relay.example.net",
                    "format": "dsn",
                },
            )
        ]
        await hooks.told(2)
        told = hooks.hooks[-1].events[-1]
        assert told["eventCategoryType"] == "TransactionalSendEvents.EmailBounced"
        assert told["info"] == {
            "to": "k1@example.com",
            "subscriberKey": "c-k1",
            "messageKey": "k1",
            "bounceCode": "HARD",
            "bounceMessage": REPLY,
            "smtpReason": "5.1.1",
        }
        assert told["definitionKey"] == "welcome"
        assert told["compositeId"].count(".") == 4
        assert await suppressed(house.pool, ACCOUNT, ["K1@Example.com", "k2@example.com"]) == {
            "K1@Example.com": "bounce"
        }
        assert (await house.final())["k1"] == ("sent", None), "the vendor's status stays what it was"


async def test_a_subscription_can_ask_for_hard_bounces_only(house: House, post: Post) -> None:
    async with relay() as peer, receiving() as hooks, telling(events_worker(house)):
        await subscribe(house, hooks.url, types=(EMAIL_BOUNCED,), filters=("bounceCode=HARD",))
        full, gone = await post.sent(["full", "gone"], peer)
        await post.deliver(about(postfix(status="5.2.2", diagnostic="smtp; 552 mailbox full"), full), full)
        await post.deliver(about(EXCHANGE, gone), gone)
        assert await hooks.told(1) == ["gone"]
        assert [kind for kind, _ in await post.events("full")] == ["bounced"]
        assert await suppressed(house.pool, ACCOUNT, ["full@example.com", "gone@example.com"]) == {
            "gone@example.com": "bounce"
        }


async def test_replayed_and_repeated_reports_of_one_message_make_one_event(post: Post) -> None:
    async with relay() as peer:
        (path,) = await post.sent(["k1"], peer)
    raw = about(postfix(), path)
    assert await post.deliver(raw, path) == "250 2.0.0 Ok: recorded"
    assert await post.deliver(raw, path) == "250 2.0.0 Ok: known already"
    assert await post.deliver(about(EXIM_OLD, path), path) == "250 2.0.0 Ok: known already"
    assert len(await post.events("k1")) == 1


async def test_a_vacation_note_is_taken_and_changes_nothing(house: House, post: Post) -> None:
    async with relay() as peer:
        (path,) = await post.sent(["k1"], peer)
    for sender in ("", "joe@example.net"):
        assert await post.deliver(about(VACATION, path), path, sender) == "250 2.0.0 Ok: nothing to record"
    assert await post.events("k1") == []
    assert await house.count("suppression") == 0


async def test_a_complaint_is_an_event_and_suppresses(house: House, post: Post) -> None:
    async with relay() as peer:
        (path,) = await post.sent(["k1"], peer)
    raw = about(complaint(), path)
    assert await post.deliver(raw, "fbl@bounces.example.com", "desk@example.net") == "250 2.0.0 Ok: recorded"
    assert await post.deliver(raw, path, "desk@example.net") == "250 2.0.0 Ok: known already"
    assert await post.events("k1") == [("complained", {"feedback": "abuse", "reporting_mta": "mail.example.net"})]
    assert await suppressed(house.pool, ACCOUNT, ["k1@example.com"]) == {"k1@example.com": "complaint"}
    spam = about(complaint("not-spam"), path)
    assert await post.deliver(spam, "fbl@bounces.example.com", "desk@example.net") == "250 2.0.0 Ok: nothing to record"


async def test_of_a_mail_with_copies_only_its_own_recipient_is_suppressed(house: House, post: Post) -> None:
    await house.define("copied", cc=("boss@example.org",))
    async with relay() as peer:
        await post.sent(["k1"], peer, "copied")
        (path,) = peer.senders["boss"]
    assert await post.deliver(about(postfix(), path, "boss@example.org"), path) == "250 2.0.0 Ok: recorded"
    assert await house.count("suppression") == 0
    assert await post.deliver(about(postfix(), path, "K1@example.com"), path) == "250 2.0.0 Ok: recorded"
    assert await suppressed(house.pool, ACCOUNT, ["k1@example.com", "boss@example.org"]) == {"k1@example.com": "bounce"}
    assert [detail.get("recipient") for _, detail in await post.events("k1")] == ["boss@example.org", None]


async def test_a_refusal_at_once_has_a_verdict_and_suppresses_in_the_same_transaction(house: House, post: Post) -> None:
    def refuse(key: str, _attempt: int) -> str:
        return "550 5.1.1 no such user" if key == "gone" else "550 5.7.1 blocked using spamhaus"

    async with relay(refuse) as peer:
        await post.sent(["gone", "spam"], peer)
    assert await house.final() == {"gone": ("not_sent", 101), "spam": ("not_sent", 101)}
    found = await suppressed(house.pool, ACCOUNT, ["gone@example.com", "spam@example.com"])
    assert found == {"gone@example.com": "bounce"}


async def test_with_a_star_only_signed_mail_has_a_return_path_of_its_own(house: House) -> None:
    async with taking(house, domain="bounces.*") as post, relay() as peer:
        assert await post.sent(["k1"], peer) == ["shop@example.com"]


async def test_a_report_about_a_mail_that_is_kept_no_more_is_taken(house: House, post: Post) -> None:
    async with relay() as peer:
        (path,) = await post.sent(["k1"], peer)
    await house.pool.execute("delete from message")
    assert await post.deliver(about(postfix(), path), path) == "250 2.0.0 Ok: about a mail that is kept no more"


async def test_what_goes_out_and_what_comes_back_is_counted(post: Post) -> None:
    async with relay() as peer:
        one, two = await post.sent(["k1", "k2"], peer)
    bounce = about(postfix(), one, "k1@example.com")
    forged = one.replace(one[51:63], two[51:63])
    for raw, to in (
        (bounce, one),
        (bounce, one),
        (about(VACATION, two), two),
        (about(complaint(), two), two),
        (complaint(), "fbl@bounces.example.com"),
        (bounce, forged),
        (bounce, "b+@example.org"),
        (bounce, "nobody@bounces.example.com"),
    ):
        await post.deliver(raw, to, "" if to.startswith("b+") else "abusedesk@example.net")
    taken = {counted: number for counted, number in post.counts.take().items() if not counted[0].buckets}
    assert {(metric.name.removeprefix("postroom_"), *values): number for (metric, values), number in taken.items()} == {
        ("outcomes_total", "sent"): 2,
        ("bounce_mails_total", "bounce", "recorded"): 1,
        ("bounce_mails_total", "bounce", "known"): 1,
        ("bounce_mails_total", "other", "ignored"): 1,
        ("bounce_mails_total", "complaint", "recorded"): 1,
        ("bounce_mails_total", "complaint", "unmatched"): 1,
        ("bounce_recipients_refused_total", "forged"): 1,
        ("bounce_recipients_refused_total", "domain"): 1,
        ("bounce_recipients_refused_total", "address"): 1,
        ("verdicts_total", "report", "recipient", "hard", "no-such-user"): 1,
        ("suppressing_total", "bounce"): 1,
        ("suppressing_total", "complaint"): 1,
    }
