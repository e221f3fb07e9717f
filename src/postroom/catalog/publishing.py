"""Publishing: creating and changing definitions, each time with the immutable version that mail is made from.

A version copies its content from the asset when the definition is created, when a change names the content, and
when a change makes it Active. Other changes (carbon copies, subscriptions, classification, link
tracking, sending options) make a
version with the content as it was copied last. Deactivating makes none: it must work whatever became of the
asset. Every rejection leaves the definition as it was.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeVar
from uuid import UUID

import asyncpg
import msgspec

from postroom.catalog.assets import Asset, find_asset
from postroom.catalog.attachments import AttachmentsRejected, load_files, read_attachments
from postroom.catalog.classifications import Classification, find_classification
from postroom.catalog.data_extensions import DataExtension, find_extension
from postroom.catalog.definitions import Definition, find_definition, lock_definition
from postroom.catalog.lists import SubscriberList, find_list
from postroom.catalog.pauses import note_status
from postroom.catalog.sending_options import DEFAULT, SendingOptions, encode_options, problem_of
from postroom.catalog.template_check import names_known, unknown_blocks
from postroom.catalog.versions import VersionDraft, load_version, store_version
from postroom.content.address import parse_address
from postroom.content.ampscript.engine import Engine
from postroom.content.compiler import compile_content
from postroom.content.model import Content, Problem
from postroom.content.views import content_from_views
from postroom.store.database import Connection, Database, Pool
from postroom.tenancy.accounts import DEFAULT_CLASSIFICATION

Status = Literal["New", "Active", "Inactive"]
_T = TypeVar("_T")

_INSERT = """
    insert into definition (account_id, definition_id, definition_key, name, description, status,
                            classification_key, content_key, list_id, data_extension_key, auto_add_subscriber,
                            update_subscriber, track_links, cc, bcc, version_id, sending)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""

_UPDATE = """
    update definition set name = $3, description = $4, status = $5, classification_key = $6, content_key = $7,
                          list_id = $8, data_extension_key = $9, auto_add_subscriber = $10, update_subscriber = $11,
                          track_links = $12, cc = $13, bcc = $14, version_id = $15, sending = $16,
                          modified_at = now()
     where account_id = $1 and definition_id = $2
"""

_CREATED_THIS_WEEK = """
    select count(*) from definition where account_id = $1 and created_at > now() - interval '7 days'
"""


@dataclass(frozen=True, slots=True)
class DefinitionDraft:
    """A definition to create. None stands for the default."""

    definition_key: str
    name: str
    content_key: str
    list_key: str
    data_extension_key: str | None = None
    description: str | None = None
    status: Status | None = None
    classification_key: str | None = None
    auto_add_subscriber: bool = True
    update_subscriber: bool = True
    track_links: bool = True
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    sending: SendingOptions = DEFAULT


@dataclass(frozen=True, slots=True)
class DefinitionChange:
    """What to change in a definition. None leaves a field as it is; an empty description or data extension
    removes it."""

    name: str | None = None
    content_key: str | None = None
    list_key: str | None = None
    data_extension_key: str | None = None
    description: str | None = None
    status: Status | None = None
    classification_key: str | None = None
    auto_add_subscriber: bool | None = None
    update_subscriber: bool | None = None
    track_links: bool | None = None
    cc: tuple[str, ...] | None = None
    bcc: tuple[str, ...] | None = None
    sending: SendingOptions | None = None
    """All of them: what it does not set becomes the default."""


class PublishingRejected(Exception):
    """The definition can't be published so; nothing was changed."""


class DefinitionKeyTaken(PublishingRejected):
    """Another definition of the business unit has this key."""


class DefinitionNameTaken(PublishingRejected):
    """Another definition of the business unit has this name."""


class StatusUnreachable(PublishingRejected):
    """A definition can't go back to New."""


class WeeklyLimitReached(PublishingRejected):
    """As many definitions were created in the last seven days as the business unit may."""


class ClassificationNotTransactional(PublishingRejected):
    """The classification exists and is not for transactional mail."""


class ReferenceUnknown(PublishingRejected):
    """A field names something the business unit does not have. ``field`` is its path in the body."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class CopyAddressInvalid(PublishingRejected):
    """An entry of cc or bcc is neither an address nor a personalization string."""

    def __init__(self, field: str, entry: str) -> None:
        super().__init__(f"{field}: {entry[:100]!r} is neither an email address nor a %%name%%")
        self.field = field


class SendingOptionInvalid(PublishingRejected):
    """A sending option can't be used. ``field`` is its name in `SendingOptions`."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class Published(NamedTuple):
    """A definition as it stands now, and what is doubtful in the templates it was published with."""

    definition: Definition
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _References:
    classification: Classification
    list: SubscriberList
    data_extension: DataExtension | None

    @property
    def data_extension_key(self) -> str | None:
        return None if self.data_extension is None else self.data_extension.key

    @property
    def data_extension_id(self) -> int | None:
        return None if self.data_extension is None else self.data_extension.extension_id


class Publisher:
    """Creates and changes definitions of any business unit.

    ``from_name`` and ``from_address`` are the server's sender, used where a classification names none.
    ``weekly_limit`` bounds the definitions a business unit may create in seven days (the vendor: 500); None is
    no bound. ``routes`` are the names a definition may choose from; None takes any, where no table knows them.
    ``engine`` compiles what templates hold, which is processor work and is done in a thread.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        from_name: str,
        from_address: str,
        new_status: Status,
        engine: Engine,
        new_id: Callable[[], UUID],
        weekly_limit: int | None = None,
        routes: frozenset[str] | None = None,
    ) -> None:
        self._pool = pool
        self._from_name = from_name
        self._from_address = from_address
        self._new_status: Status = new_status
        self._engine = engine
        self._new_id = new_id
        self._weekly_limit = weekly_limit
        self._routes = routes

    async def create(self, account_id: int, draft: DefinitionDraft) -> Published:
        """Create and publish. Raises a `PublishingRejected`, or `ContentRejected` for what the email holds."""
        async with self._pool.acquire() as connection, connection.transaction():
            await self._check_limit(connection, account_id)
            if await find_definition(connection, account_id, draft.definition_key) is not None:
                raise DefinitionKeyTaken(draft.definition_key)
            _check_copies(draft.cc, draft.bcc)
            self._check_sending(draft.sending)
            references = _References(
                await _classification(connection, account_id, draft.classification_key or DEFAULT_CLASSIFICATION),
                await _list(connection, account_id, draft.list_key),
                await _data_extension(connection, account_id, draft.data_extension_key),
            )
            asset = await _email(connection, account_id, draft.content_key)
            content, warnings = await self._copy(connection, asset, references, draft.cc, draft.bcc)
            definition_id = self._new_id()
            version_id = await store_version(
                connection,
                VersionDraft(
                    account_id,
                    definition_id,
                    references.list.list_id,
                    draft.auto_add_subscriber,
                    draft.update_subscriber,
                    draft.track_links,
                    content,
                    references.data_extension_id,
                    references.classification.block_unsubscribed,
                    draft.sending,
                ),
            )
            try:
                await connection.execute(
                    _INSERT,
                    account_id,
                    definition_id,
                    draft.definition_key,
                    draft.name,
                    draft.description or None,
                    draft.status or self._new_status,
                    references.classification.key,
                    asset.draft.customer_key,
                    references.list.list_id,
                    references.data_extension_key,
                    draft.auto_add_subscriber,
                    draft.update_subscriber,
                    draft.track_links,
                    draft.cc,
                    draft.bcc,
                    version_id,
                    encode_options(draft.sending),
                )
            except asyncpg.UniqueViolationError as error:
                raise _taken(error, draft.definition_key, draft.name) from None
            status = draft.status or self._new_status
            await note_status(connection, account_id, definition_id, before="Active", after=status)
            return Published(await _stored(connection, account_id, draft.definition_key), warnings)

    async def change(self, account_id: int, definition_key: str, change: DefinitionChange) -> Published | None:
        """Change and, where mail would differ, publish anew; None when there is no such definition.

        Raises as `create` does.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            current = await lock_definition(connection, account_id, definition_key)
            if current is None:
                return None
            if change.status == "New" and current.status != "New":
                raise StatusUnreachable(f"status: a definition that is {current.status} can't become New again")
            changed = _merged(current, change)
            _check_copies(change.cc or (), change.bcc or ())
            self._check_sending(change.sending or DEFAULT)
            references = _References(
                await _classification(connection, account_id, changed.classification_key),
                SubscriberList(current.list_id, current.list_name)
                if change.list_key is None
                else await _list(connection, account_id, change.list_key),
                await _data_extension(connection, account_id, changed.data_extension_key),
            )
            activated = changed.status == "Active" and current.status != "Active"
            asset = None
            if change.content_key is not None or activated:
                asset = await _email(connection, account_id, changed.content_key)
            changed = replace(
                changed,
                classification_key=references.classification.key,
                list_id=references.list.list_id,
                list_name=references.list.name,
                data_extension_key=references.data_extension_key,
                content_key=current.content_key if asset is None else asset.draft.customer_key,
            )
            warnings: tuple[Problem, ...] = ()
            if asset is not None or _mail_differs(current, changed):
                changed, warnings = await self._publish(connection, changed, asset, references)
            await _update(connection, changed)
            await note_status(
                connection, account_id, changed.definition_id, before=current.status, after=changed.status
            )
            return Published(await _stored(connection, account_id, definition_key), warnings)

    async def _publish(
        self, connection: Connection, definition: Definition, asset: Asset | None, references: _References
    ) -> Published:
        sender = references.classification
        account_id = definition.account_id
        if asset is not None:
            content, warnings = await self._copy(connection, asset, references, definition.cc, definition.bcc)
        else:
            version = await load_version(connection, account_id, definition.version_id)
            content = replace(
                version.content,
                from_name=sender.from_name or self._from_name,
                from_address=sender.from_address or self._from_address,
                reply_to=sender.reply_to,
                cc=definition.cc,
                bcc=definition.bcc,
            )
            warnings = await self._check(connection, account_id, content, references.data_extension)
        draft = VersionDraft(
            account_id,
            definition.definition_id,
            definition.list_id,
            definition.auto_add_subscriber,
            definition.update_subscriber,
            definition.track_links,
            content,
            references.data_extension_id,
            references.classification.block_unsubscribed,
            definition.sending,
        )
        return Published(replace(definition, version_id=await store_version(connection, draft)), warnings)

    async def _copy(
        self, connection: Connection, asset: Asset, references: _References, cc: tuple[str, ...], bcc: tuple[str, ...]
    ) -> tuple[Content, tuple[Problem, ...]]:
        sender = references.classification
        content = content_from_views(
            msgspec.json.decode(asset.draft.views),
            from_name=sender.from_name or self._from_name,
            from_address=sender.from_address or self._from_address,
            reply_to=sender.reply_to,
            cc=cc,
            bcc=bcc,
        )
        limits = self._engine.dialect.limits
        try:
            files = await load_files(
                connection,
                asset.account_id,
                read_attachments(asset.draft.document),
                most=limits.attachments,
                most_bytes=limits.attached_bytes,
            )
        except AttachmentsRejected as rejected:
            raise ReferenceUnknown("content.customerKey", f"asset {asset.draft.customer_key!r}: {rejected}") from None
        if files:
            content = replace(content, files=files)
        return content, await self._check(connection, asset.account_id, content, references.data_extension)

    async def _check(
        self, connection: Connection, account_id: int, content: Content, extension: DataExtension | None
    ) -> tuple[Problem, ...]:
        """What is doubtful in the content. Raises ContentRejected for what can't be sent."""
        known = None if extension is None else await names_known(connection, account_id, extension)
        plan = await asyncio.to_thread(compile_content, content, engine=self._engine, known_names=known)
        return (*plan.warnings, *await unknown_blocks(connection, account_id, content, self._engine))

    def _check_sending(self, options: SendingOptions) -> None:
        problem = problem_of(options)
        if problem is not None:
            raise SendingOptionInvalid(*problem)
        if options.route is not None and self._routes is not None and options.route not in self._routes:
            known = ", ".join(sorted(self._routes))
            raise SendingOptionInvalid("route", f"there is no route {options.route!r}; it must be one of {known}")

    async def _check_limit(self, connection: Connection, account_id: int) -> None:
        if self._weekly_limit is None:
            return
        created = await connection.fetchval(_CREATED_THIS_WEEK, account_id)
        if created >= self._weekly_limit:
            raise WeeklyLimitReached(
                f"{created} definitions were created in the last 7 days; the limit is {self._weekly_limit}"
            )


async def _update(connection: Connection, definition: Definition) -> None:
    try:
        await connection.execute(
            _UPDATE,
            definition.account_id,
            definition.definition_id,
            definition.name,
            definition.description,
            definition.status,
            definition.classification_key,
            definition.content_key,
            definition.list_id,
            definition.data_extension_key,
            definition.auto_add_subscriber,
            definition.update_subscriber,
            definition.track_links,
            definition.cc,
            definition.bcc,
            definition.version_id,
            encode_options(definition.sending),
        )
    except asyncpg.UniqueViolationError as error:
        raise _taken(error, definition.definition_key, definition.name) from None


def _merged(current: Definition, change: DefinitionChange) -> Definition:
    def either(new: _T | None, old: _T) -> _T:
        return old if new is None else new

    return replace(
        current,
        name=either(change.name, current.name),
        description=either(change.description, current.description) or None,
        status=either(change.status, current.status),
        classification_key=either(change.classification_key, current.classification_key),
        content_key=either(change.content_key, current.content_key),
        data_extension_key=either(change.data_extension_key, current.data_extension_key) or None,
        auto_add_subscriber=either(change.auto_add_subscriber, current.auto_add_subscriber),
        update_subscriber=either(change.update_subscriber, current.update_subscriber),
        track_links=either(change.track_links, current.track_links),
        cc=either(change.cc, current.cc),
        bcc=either(change.bcc, current.bcc),
        sending=either(change.sending, current.sending),
    )


def _mail_differs(old: Definition, new: Definition) -> bool:
    """Whether a field that a version fixes is another one."""
    return (
        old.classification_key != new.classification_key
        or old.list_id != new.list_id
        or old.data_extension_key != new.data_extension_key
        or old.auto_add_subscriber != new.auto_add_subscriber
        or old.update_subscriber != new.update_subscriber
        or old.track_links != new.track_links
        or old.cc != new.cc
        or old.bcc != new.bcc
        or old.sending != new.sending
    )


def _check_copies(cc: tuple[str, ...], bcc: tuple[str, ...]) -> None:
    for field, entries in (("options.cc", cc), ("options.bcc", bcc)):
        for entry in entries:
            personalized = entry.count("%%") >= 2
            addresses = [part.strip() for part in entry.split(";")]
            if not personalized and not all(parse_address(address) for address in addresses):
                raise CopyAddressInvalid(field, entry)


async def _data_extension(database: Database, account_id: int, key: str | None) -> DataExtension | None:
    if key is None:
        return None
    found = await find_extension(database, account_id, key)
    if found is None:
        raise ReferenceUnknown("subscriptions.dataExtension", f"there is no data extension with key {key!r}")
    if not found.sendable:
        raise ReferenceUnknown("subscriptions.dataExtension", f"the data extension {key!r} is not sendable")
    return found


async def _classification(database: Database, account_id: int, key: str) -> Classification:
    found = await find_classification(database, account_id, key)
    if found is None:
        raise ReferenceUnknown("classification", f"there is no classification with key {key!r}")
    if not found.transactional:
        raise ClassificationNotTransactional(f"classification: {key!r} is not of transactional type")
    return found


async def _list(database: Database, account_id: int, key: str) -> SubscriberList:
    found = await find_list(database, account_id, key)
    if found is None:
        raise ReferenceUnknown("subscriptions.list", f"there is no list with key {key!r}")
    return found


async def _email(database: Database, account_id: int, customer_key: str) -> Asset:
    found = await find_asset(database, account_id, customer_key)
    if found is None:
        raise ReferenceUnknown("content.customerKey", f"there is no asset with key {customer_key!r}")
    if not found.is_email:
        raise ReferenceUnknown(
            "content.customerKey",
            f"the asset {customer_key!r} is no email; its type must be 207, 208 or 209",
        )
    return found


async def _stored(database: Database, account_id: int, definition_key: str) -> Definition:
    found = await find_definition(database, account_id, definition_key)
    assert found is not None
    return found


def _taken(error: asyncpg.UniqueViolationError, definition_key: str, name: str) -> PublishingRejected:
    if error.constraint_name == "definition_by_name":
        return DefinitionNameTaken(name)
    return DefinitionKeyTaken(definition_key)
