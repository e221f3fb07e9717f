"""From claimed slices to messages ready to compose: rows, request attributes and contacts, a few queries a claim.

A message that may not go out at all ends here: `Unsendable` carries its status code. So does one whose attributes
can't be read, which the accept checks by grammar only (a number of 400 digits is JSON and is no number).
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import compress

import asyncpg
import msgspec

from postroom.audience.contacts import Contact, ContactStatus, Wanted, profile_attributes, resolve_contacts
from postroom.audience.memberships import add_members, is_everyone, member_statuses
from postroom.audience.soft_bounces import SoftBounceCounts
from postroom.audience.suppression import Cause, SuppressionList
from postroom.catalog.sending_options import DEFAULT
from postroom.catalog.versions import Version
from postroom.content.attributes import FoldedNames, fold_name, merge_attributes
from postroom.delivery.claim import Queue
from postroom.delivery.composer import Composer
from postroom.delivery.copies import Copies
from postroom.delivery.keyring import Keyring
from postroom.delivery.send_rows import Refusal, write_send_rows
from postroom.delivery.slices import Message, Request, Slice
from postroom.delivery.versions import Versions
from postroom.events.codes import StatusCode
from postroom.intake.keys import fold_key
from postroom.store.pool import Pool
from postroom.tenancy.standing import account_standing

TOO_LATE = "its definition's deliverBefore has passed"

_ATTRIBUTES = msgspec.json.Decoder(dict[str, object])

_SUPPRESSED: Mapping[Cause, StatusCode] = {
    "complaint": StatusCode.HELD,
    "bounce": StatusCode.HELD,
    "unsubscribe": StatusCode.UNSUBSCRIBED,
    "erasure": StatusCode.SUBSCRIBER_DELETED,
    "manual": StatusCode.SUPPRESSION_LIST_EXCLUSION,
    "import": StatusCode.SUPPRESSION_LIST_EXCLUSION,
}


@dataclass(frozen=True, slots=True)
class Unsendable:
    """A message that ends without an attempt."""

    slice: Slice
    position: int
    code: StatusCode
    reason: str
    contact_id: int | None = None
    cause: Cause | None = None
    """Why its address is suppressed, where that is the reason."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A claim with its messages. Both lists together are all that was unfinished of its slices."""

    messages: list[Message]
    unsendable: list[Unsendable]


@dataclass(slots=True)
class Membership:
    """One list as a claim sees it; ``joining`` are contacts that its messages put on it."""

    statuses: Mapping[int, ContactStatus]
    joining: set[int] = field(default_factory=set)


class Loader:
    """Loads the messages of one business unit's claimed slices."""

    def __init__(self, pool: Pool, queue: Queue, versions: Versions, composer: Composer, keyring: Keyring) -> None:
        self._pool = pool
        self._queue = queue
        self._versions = versions
        self._composer = composer
        self._keyring = keyring
        self._suppression = SuppressionList(pool)
        self._soft_bounces = SoftBounceCounts(pool)
        self._copies = Copies(composer, self._suppression)
        self._names = FoldedNames()

    async def load(self, account_id: int, slices: Sequence[Slice], *, only: Container[int] | None = None) -> Loaded:
        """Sets ``outstanding`` of each slice to the number of its unfinished messages; of these positions ``only``.

        Afterwards the signing keys are known that were in force at the claim.
        """
        standing = await account_standing(self._pool, account_id)
        await self._keyring.refresh(account_id, standing.signing_revision)
        rows = await self._queue.message_rows(account_id, slices)
        if only is not None:
            rows = [row for row in rows if row["position"] in only]
        requests = await self._requests(account_id, slices)
        versions = {
            version_id: await self._versions.version(account_id, version_id)
            for version_id in {request.version_id for request in requests.values()}
        }
        for each in slices:
            self._choose(each, versions[requests[each.request_id].version_id])
        claim = _Claim({each.slice_id: each for each in slices}, requests, versions, self._names)
        declared = {fold_name(name): name for name in await profile_attributes(self._pool, account_id)}
        claim.read(rows, declared, datetime.now(UTC))
        if standing.suppresses:
            # Before the contacts: a message that may not go out neither makes one nor changes one.
            addresses = [wanted.address for wanted in claim.wanted]
            claim.leave_out(await self._suppression.suppressed(account_id, addresses))
        # What is stored from here on is stored for messages that are ours: an erasure waits for no others.
        await self._queue.make_sure(slices)
        claim.leave_lost()
        contacts = await resolve_contacts(self._pool, account_id, claim.wanted)
        lists = await self._memberships(account_id, versions, contacts)
        for each in slices:
            each.outstanding = 0
        for row in rows:
            claim.by_slice[row["slice_id"]].outstanding += 1
        loaded = claim.ready(contacts, lists)
        await self._join(account_id, lists)
        if any(version.data_extension_id is not None for version in versions.values()):
            loaded = await self._with_rows(account_id, loaded, versions)
        if standing.counts_bounces:
            counted = await self._soft_bounces.counted(account_id, [message.address for message in loaded.messages])
            for message in loaded.messages:
                message.counted = message.address in counted
        if standing.suppresses and any(version.content.cc or version.content.bcc for version in versions.values()):
            # What waits has its copies looked up when it is rendered.
            ordinary = [message for message in loaded.messages if not self._composer.waits(message)]
            await self._copies.look(account_id, ordinary)
        return loaded

    async def _requests(self, account_id: int, slices: Sequence[Slice]) -> dict[object, Request]:
        return {
            row["request_id"]: Request(
                row["request_id"], row["version_id"], row["batch_id"], _decode(row["attributes"])
            )
            for row in await self._queue.request_rows(account_id, slices)
        }

    def _choose(self, slice_: Slice, version: Version) -> None:
        """What a definition version says of how its messages are sent."""
        slice_.definition_key = self._versions.definition_key(version.account_id, version.version_id)
        sending = version.sending
        if sending is not DEFAULT:
            slice_.sending = sending
            within = sending.deliver_within
            slice_.deadline = None if within is None else slice_.accepted_at + within

    async def _memberships(
        self, account_id: int, versions: Mapping[int, Version], contacts: Mapping[str, Contact]
    ) -> dict[int, Membership]:
        """Who of the claim is on its lists. Everyone is on All Subscribers, which asks for nothing."""
        lists: dict[int, Membership] = {}
        ids = [contact.contact_id for contact in contacts.values()]
        for version_id, version in versions.items():
            prepared = self._versions.prepared(account_id, version_id)
            name = "" if prepared is None else prepared.system.get("list_", "")
            if name and not is_everyone(name) and ids and version.list_id not in lists:
                statuses = await member_statuses(self._pool, account_id, version.list_id, ids)
                lists[version.list_id] = Membership(statuses)
        return lists

    async def _join(self, account_id: int, lists: Mapping[int, Membership]) -> None:
        for list_id, membership in lists.items():
            if membership.joining:
                await add_members(self._pool, account_id, list_id, membership.joining)

    async def _with_rows(self, account_id: int, loaded: Loaded, versions: Mapping[int, Version]) -> Loaded:
        """The claim after each message has its row in its definition's data extension, or ends for want of it."""
        by_extension: dict[int, list[Message]] = {}
        for message in loaded.messages:
            extension_id = versions[message.request.version_id].data_extension_id
            if extension_id is not None:
                by_extension.setdefault(extension_id, []).append(message)
        refused: dict[Message, Refusal] = {}
        # In order, so that two workers that write into the same tables wait for each other and never deadlock.
        for extension_id, messages in sorted(by_extension.items()):
            refusals = await write_send_rows(self._pool, account_id, extension_id, messages)
            refused.update(
                (message, refusal) for message, refusal in zip(messages, refusals, strict=True) if refusal is not None
            )
        return Loaded(
            [message for message in loaded.messages if message not in refused],
            [
                *loaded.unsendable,
                *(
                    Unsendable(
                        message.slice, message.position, refusal.code, refusal.reason, message.contact.contact_id
                    )
                    for message, refusal in refused.items()
                ),
            ],
        )


class _Claim:
    """One claim while it is being put together."""

    def __init__(
        self,
        by_slice: Mapping[int, Slice],
        requests: Mapping[object, Request],
        versions: Mapping[int, Version],
        names: FoldedNames,
    ) -> None:
        self._names = names
        self.by_slice = by_slice
        self._requests = requests
        self._versions = versions
        self._rows: list[tuple[asyncpg.Record, Slice, Request, dict[str, object], str]] = []
        self._unsendable: list[Unsendable] = []
        self.wanted: list[Wanted] = []

    def read(self, rows: Sequence[asyncpg.Record], declared: Mapping[str, str], now: datetime) -> None:
        """Decode every row's attributes and say which contacts are needed."""
        for row in rows:
            slice_ = self.by_slice[row["slice_id"]]
            if slice_.deadline is not None and now >= slice_.deadline:
                self._unsendable.append(Unsendable(slice_, row["position"], StatusCode.TIMED_OUT_IN_QUEUE, TOO_LATE))
                continue
            request = self._requests[slice_.request_id]
            if not row["contact_key"]:
                # Accepted with one, as all are: whose it was has been erased since.
                self._unsendable.append(
                    Unsendable(slice_, row["position"], StatusCode.SUBSCRIBER_DELETED, "the recipient was erased")
                )
                continue
            own = _decode(row["attributes"])
            if own is None or request.attributes is None:
                self._unsendable.append(
                    Unsendable(
                        slice_, row["position"], StatusCode.INVALID_ATTRIBUTE_VALUE, "the attributes can't be read"
                    )
                )
                continue
            attributes = merge_attributes(request.attributes, own, self._names)
            version = self._versions[request.version_id]
            folded = fold_key(row["contact_key"])
            self._rows.append((row, slice_, request, attributes, folded))
            self.wanted.append(
                Wanted(
                    folded_key=folded,
                    contact_key=row["contact_key"],
                    address=row["address"],
                    profile={declared[name]: attributes[name] for name in declared.keys() & attributes.keys()},
                    create=version.auto_add_subscriber,
                    update=version.update_subscriber,
                )
            )

    def leave_lost(self) -> None:
        """Forget the messages of slices that are somebody else's."""
        if any(slice_.lost for slice_ in self.by_slice.values()):
            ours = [not slice_.lost for _, slice_, *_ in self._rows]
            self._rows = list(compress(self._rows, ours))
            self.wanted = list(compress(self.wanted, ours))

    def leave_out(self, causes: Mapping[str, Cause]) -> None:
        """End the messages to these addresses."""
        if not causes:
            return
        kept = []
        for row in self._rows:
            record, slice_ = row[:2]
            cause = causes.get(record["address"])
            if cause is None:
                kept.append(row)
                continue
            reason = f"the address is suppressed ({cause})"
            self._unsendable.append(Unsendable(slice_, record["position"], _SUPPRESSED[cause], reason, cause=cause))
        self._rows = kept
        self.wanted = [wanted for wanted in self.wanted if wanted.address not in causes]

    def ready(self, contacts: Mapping[str, Contact], lists: Mapping[int, Membership]) -> Loaded:
        """Every row as a message to compose or as one that ends here."""
        messages = []
        for row, slice_, request, attributes, folded in self._rows:
            contact = contacts.get(folded)
            version = self._versions[request.version_id]
            refusal = _refusal(contact, row["address"], version)
            membership = lists.get(version.list_id)
            if refusal is None and contact is not None and membership is not None:
                refusal = _list_refusal(contact, membership, version)
            if refusal is not None:
                code, reason = refusal
                contact_id = None if contact is None else contact.contact_id
                self._unsendable.append(Unsendable(slice_, row["position"], code, reason, contact_id))
                continue
            assert contact is not None
            messages.append(
                Message(
                    slice=slice_,
                    position=row["position"],
                    message_key=row["message_key"],
                    contact_key=row["contact_key"],
                    address=row["address"],
                    attributes=attributes,
                    request=request,
                    contact=contact,
                )
            )
        return Loaded(messages, self._unsendable)


def _refusal(contact: Contact | None, address: str, version: Version) -> tuple[StatusCode, str] | None:
    if contact is None:
        return StatusCode.NO_ALL_SUBSCRIBERS_LIST_ENTRY, "the contact is unknown and autoAddSubscriber is false"
    if contact.status == "Held":
        return StatusCode.HELD, "the contact is held"
    if contact.status == "Deleted":
        return StatusCode.SUBSCRIBER_DELETED, "the contact is deleted"
    if contact.status == "Unsubscribed" and version.block_unsubscribed:
        return StatusCode.UNSUBSCRIBED, "the contact is unsubscribed from all mail"
    if not version.update_subscriber and contact.address != address:
        return StatusCode.EMAIL_ADDRESS_MISMATCH, "the contact has another address and updateSubscriber is false"
    return None


def _list_refusal(contact: Contact, membership: Membership, version: Version) -> tuple[StatusCode, str] | None:
    status = membership.statuses.get(contact.contact_id)
    if status is None:
        if not version.auto_add_subscriber:
            return (
                StatusCode.NO_ALL_SUBSCRIBERS_LIST_ENTRY,
                "the contact is not on the definition's list and autoAddSubscriber is false",
            )
        membership.joining.add(contact.contact_id)
    elif status == "Unsubscribed":
        return StatusCode.UNSUBSCRIBED, "the contact is unsubscribed from the definition's list"
    elif status == "Held":
        return StatusCode.HELD, "the contact is held on the definition's list"
    return None


def _decode(attributes: str | None) -> dict[str, object] | None:
    if attributes is None:
        return {}
    try:
        return _ATTRIBUTES.decode(attributes)
    except (msgspec.DecodeError, RecursionError):
        return None
