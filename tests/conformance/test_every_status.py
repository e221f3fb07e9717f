"""Every status code this server gives, each produced the way it is in earnest, and none that is not (contract §0.3).

The codes of composing are produced by the plan of the message's own version; all others by claims and settlements.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from tests.conformance.house import ACCOUNT, Hand, House, Person
from tests.conformance.refusing import refusing

from postroom.audience.memberships import create_list, set_member
from postroom.audience.suppression import Entry, suppress
from postroom.catalog.data_columns import Column
from postroom.catalog.data_extensions import ExtensionDraft, create_extension, delete_extension, load_extension
from postroom.catalog.versions import VersionDraft, store_version
from postroom.content.ampscript.dialect import Dialect
from postroom.content.ampscript.memory import MemoryBlocks
from postroom.content.ampscript.run import Request, Response, Services
from postroom.content.compiler import compile_content
from postroom.content.model import Content, Context, NotComposed
from postroom.delivery.claimer import Claimer
from postroom.delivery.composer import Composer
from postroom.delivery.keyring import Keyring
from postroom.delivery.lanes import Lanes
from postroom.delivery.loading import Loaded, Loader, Unsendable
from postroom.delivery.outcome import Refused
from postroom.delivery.slice_loader import SliceLoader
from postroom.delivery.slices import Message, Slice
from postroom.delivery.versions import Sender, Versions
from postroom.events.codes import StatusCode
from postroom.events.status import message_status
from postroom.intake.backlog import clear_queue, expire_queue

Produce = Callable[[House], Awaitable[None]]

SENDER = Sender("Shop", "shop@example.com")


async def send(house: House, key: str = "welcome", /, **attributes: object) -> None:
    """One message `m` to the contact `c`."""
    raw = msgspec.Raw(msgspec.json.encode(attributes))
    await house.accept([Person("c", "c@example.com", "m", raw)], key)


async def known(house: House, status: str = "Active", address: str = "c@example.com") -> int:
    """The contact `c`."""
    number: int = await house.pool.fetchval(
        "insert into contact (account_id, contact_key, address, status) values ($1, 'c', $2, $3) returning contact_id",
        ACCOUNT,
        address,
        status,
    )
    return number


async def unsubscribed(house: House) -> None:
    made = await create_list(house.pool, ACCOUNT, "news")
    definition_id = await house.define("news")
    await house.pool.execute(
        "update definition_version set list_id = $3 where account_id = $1 and definition_id = $2",
        ACCOUNT,
        definition_id,
        made.list_id,
    )
    await set_member(house.pool, ACCOUNT, made.list_id, await known(house), "Unsubscribed")
    await send(house, "news")
    await Hand(house, "w").work()


async def held(house: House) -> None:
    await known(house, "Held")
    await send(house)
    await Hand(house, "w").work()


async def suppressed(house: House) -> None:
    async with house.pool.acquire() as connection, connection.transaction():
        await suppress(connection, ACCOUNT, [Entry("c@example.com", "manual")])
    await send(house)
    await Hand(house, "w").work()


async def deleted_contact(house: House) -> None:
    await known(house, "Deleted")
    await send(house)
    await Hand(house, "w").work()


async def not_on_the_list(house: House) -> None:
    await house.define("closed", auto_add=False)
    await send(house, "closed")
    await Hand(house, "w").work()


async def another_address(house: House) -> None:
    await known(house, address="other@example.com")
    await house.define("fixed", update=False)
    await send(house, "fixed")
    await Hand(house, "w").work()


async def unreadable(house: House) -> None:
    await house.accept([Person("c", "c@example.com", "m", msgspec.Raw(b'{"Total":1e999}'))])
    await Hand(house, "w").work()


async def with_extension(house: House) -> int:
    """A definition `order` with a data extension; its number."""
    columns = (
        Column(name="SubscriberKey", type="Text", length=50),
        Column(name="OrderId", type="Number", primary_key=True, nullable=False),
    )
    draft = ExtensionDraft("orders", "orders", "", columns, subscriber_column="SubscriberKey")
    made = await create_extension(house.pool, ACCOUNT, uuid4(), draft)
    await house.define("order", data_extension_id=made.extension_id)
    return made.extension_id


async def column_missing(house: House) -> None:
    await with_extension(house)
    await send(house, "order")
    await Hand(house, "w").work()


async def column_wrong(house: House) -> None:
    await with_extension(house)
    await send(house, "order", OrderId="seven")
    await Hand(house, "w").work()


async def row_twice(house: House) -> None:
    await with_extension(house)
    raw = msgspec.Raw(b'{"OrderId":7}')
    await house.accept([Person("d", "d@example.com", "first", raw)], "order")
    await Hand(house, "w").work()
    await send(house, "order", OrderId=7)
    await Hand(house, "w").work()


async def extension_gone(house: House) -> None:
    extension_id = await with_extension(house)
    await send(house, "order", OrderId=7)
    extension = await load_extension(house.pool, ACCOUNT, extension_id)
    assert extension is not None
    async with house.pool.acquire() as connection, connection.transaction():
        await delete_extension(connection, extension)
    await Hand(house, "w").work()


async def cleared(house: House) -> None:
    definition_id = await house.define("off", status="Inactive")
    await send(house, "off")
    await clear_queue(house.pool, ACCOUNT, definition_id, code=StatusCode.SUBSCRIBER_QUEUE_CLEARED)


async def refused(house: House) -> None:
    await send(house)
    await Hand(house, "w").work(lambda _: Refused(stage="rcpt", code=550))


async def refused_by_the_database(house: House) -> None:
    await send(house)
    hand = Hand(house, "w")
    found: list[tuple[list[Slice], Loaded]] = []
    loader = SliceLoader(hand.queue, hand.loader, loaded=lambda slices, loaded: found.append((slices, loaded)))
    async with refusing(house, "contact", "true"):
        await loader.load(ACCOUNT, await hand.claim())
    for slices, loaded in found:
        await hand.settle(slices, loaded)


async def timed_out(house: House) -> None:
    await house.define("off", status="Inactive")
    await send(house, "off")
    await house.age(timedelta(days=4))
    now = datetime.now(UTC)
    await expire_queue(house.pool, ACCOUNT, inactive_before=now - timedelta(days=3), any_before=now - timedelta(days=9))


async def definition_deleted(house: House) -> None:
    definition_id = await house.define("gone")
    await send(house, "gone")
    await house.set_status(definition_id, "Deleted")
    hand = Hand(house, "w")
    claimer = Claimer(
        house.pool,
        hand.queue,
        hand.loader,
        waiting=Lanes().waiting,
        lane_messages=100,
        slice_size=10,
        ready=lambda: True,
        held=lambda: (),
        loaded=lambda _slices, _loaded: None,
    )
    claimer.announce(ACCOUNT)
    running = asyncio.create_task(claimer.run())
    async with asyncio.timeout(20):
        while await house.count("queue"):  # noqa: ASYNC110  (the claimer tells nobody what it cleared)
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


_MAIL = Content("Hello", None, "Hello", from_address="shop@example.com")


def mail(**parts: Any) -> Content:
    """A content with one thing changed."""
    return replace(_MAIL, **parts)


def composing(content: Content, *, address: str = "c@example.com") -> Produce:
    """A message whose mail can't be built from this content."""

    async def produce(house: House) -> None:
        definition_id = await house.define("mail")
        async with house.pool.acquire() as connection, connection.transaction():
            list_id = await connection.fetchval("select list_id from list where account_id = $1", ACCOUNT)
            draft = VersionDraft(ACCOUNT, definition_id, list_id, True, True, False, content)
            version_id = await store_version(connection, draft)
            await connection.execute(
                "update definition set version_id = $3 where account_id = $1 and definition_id = $2",
                ACCOUNT,
                definition_id,
                version_id,
            )
        await send(house, "mail")
        await house.pool.execute("update message set address = $2 where account_id = $1", ACCOUNT, address)
        hand = Hand(house, "w")
        versions = Versions(house.pool, sender=SENDER, dialect=Dialect(), clock=asyncio.get_running_loop().time)
        slices: list[Slice] = await hand.claim()
        composer = Composer(versions.prepared)
        loaded = await Loader(house.pool, hand.queue, versions, composer, Keyring(house.pool)).load(ACCOUNT, slices)
        composed = composer.compose(loaded.messages[0])
        await settle(hand, slices, loaded.messages[0], composed)

    return produce


async def settle(hand: Hand, slices: list[Slice], message: Message, composed: object) -> None:
    """Record what composing said, as the worker does."""
    assert isinstance(composed, NotComposed)
    code = StatusCode(composed.status_code)
    unsendable = Unsendable(message.slice, message.position, code, composed.reason, message.contact.contact_id)
    await hand.settle(slices, Loaded([], [unsendable]))


class Silent:
    """A site that answers with nothing."""

    async def fetch(self, request: Request) -> Response:
        return Response(200)


async def composed_with(house: House, template: str, **services: Any) -> None:
    """A message whose template asks others while it is composed, so the plan is asked with them at hand."""
    content = Content("Hello", None, template, from_address="shop@example.com")
    plan = compile_content(content, missing_name="fail")
    await send(house)
    hand = Hand(house, "w")
    slices = await hand.claim()
    (message,) = (await hand.load(slices)).messages
    context = Context("c@example.com", "c", "m", {}, {}, {}, message.slice.accepted_at, "1.2.3@example.com")
    asked = Services(asyncio.get_running_loop().time, **services)
    await settle(hand, slices, message, await plan.compose_async(context, asked))


async def block_within_itself(house: House) -> None:
    block = '%%=ContentBlockByKey("loop")=%%'
    await composed_with(house, block, blocks=MemoryBlocks({"loop": block}))


async def empty_answer(house: House) -> None:
    await composed_with(house, '%%=HTTPGet("https://a.example/", false, 1)=%%', fetcher=Silent())


PRODUCED: Mapping[StatusCode, Produce] = MappingProxyType(
    {
        StatusCode.UNSUBSCRIBED: unsubscribed,
        StatusCode.HELD: held,
        StatusCode.NO_ALL_SUBSCRIBERS_LIST_ENTRY: not_on_the_list,
        StatusCode.EMAIL_ADDRESS_MISMATCH: another_address,
        StatusCode.INVALID_ATTRIBUTE_VALUE: unreadable,
        StatusCode.MISSING_REQUIRED_FIELDS: column_missing,
        StatusCode.INVALID_FIELD_VALUE: column_wrong,
        StatusCode.DUPLICATE_DATA_EXTENSION_ROW: row_twice,
        StatusCode.DATA_EXTENSION_INSERT_FAILED: extension_gone,
        StatusCode.SUPPRESSION_LIST_EXCLUSION: suppressed,
        StatusCode.SUBSCRIBER_QUEUE_CLEARED: cleared,
        StatusCode.SUBSCRIBER_DELETED: deleted_contact,
        StatusCode.ERROR: refused_by_the_database,
        StatusCode.FAILURE: refused,
        StatusCode.EXCLUDED: composing(mail(text='%%[RaiseError("no", true)]%%')),
        StatusCode.MESSAGE_BUILD_ERROR: composing(mail(text="%%Nobody%%")),
        StatusCode.RECURSIVE_SCRIPT_ERROR: block_within_itself,
        StatusCode.INVALID_EMAIL_ADDRESS_ERROR: composing(mail(), address="nobody"),
        StatusCode.SCRIPT_RAISE_ERROR: composing(mail(text='%%[RaiseError("no")]%%')),
        StatusCode.EMPTY_SUBJECT: composing(mail(subject='%%=Trim(" ")=%%')),
        StatusCode.INVALID_CC_EMAIL_ADDRESS_ERROR: composing(mail(cc=("%%Nobody%%",))),
        StatusCode.INVALID_BCC_EMAIL_ADDRESS_ERROR: composing(mail(bcc=("%%_subscriberkey%%",))),
        StatusCode.EMPTY_HTTP_GET_FUNCTION_RETURN_ERROR: empty_answer,
        StatusCode.TIMED_OUT_IN_QUEUE: timed_out,
        StatusCode.V2_TRIGGERED_SEND_DELETED_FROM_QUEUE: definition_deleted,
    }
)


def test_none_is_left_out() -> None:
    assert set(PRODUCED) == set(StatusCode)


@pytest.mark.parametrize("code", StatusCode)
async def test_the_code_is_produced_and_its_status_says_its_name(house: House, code: StatusCode) -> None:
    await PRODUCED[code](house)
    assert (await house.final())["m"] == ("not_sent", code)
    status = await message_status(house.pool, ACCOUNT, "m", since_hours=200, now=datetime.now(UTC))
    assert status is not None
    assert (status.kind, status.status_code) == ("not_sent", code)
    assert status.status_message
    assert await house.count("queue") == 0
