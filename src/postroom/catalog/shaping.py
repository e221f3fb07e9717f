"""Bringing a business unit to the shape of a blueprint: the plan, and carrying it out.

A plan compares what is with what is stated and has a step for each difference, so a second run has none. Everything
but definitions changes in one transaction; definitions are published after it, each in its own.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from uuid_utils.compat import uuid7

from postroom.audience.directory import declare_attribute, declared_attributes
from postroom.audience.memberships import create_list, is_everyone
from postroom.audience.suppression import missing_entries, suppress
from postroom.catalog.assets import AssetDraft, create_asset, find_asset, replace_asset
from postroom.catalog.attachments import AttachmentEntry
from postroom.catalog.blueprint import (
    AssetPart,
    AttachmentPart,
    Blueprint,
    DefinitionPart,
    account_change,
    classification,
    extension_draft,
    sending_options,
    suppression_entries,
)
from postroom.catalog.classifications import find_classification, store_classification
from postroom.catalog.data_extensions import change_extension, create_extension, find_extension
from postroom.catalog.definitions import Definition, find_definition
from postroom.catalog.lists import find_list
from postroom.catalog.publishing import DefinitionChange, DefinitionDraft, Published, Publisher
from postroom.content.attributes import fold_name
from postroom.store.database import Connection, Pool
from postroom.tenancy.accounts import PROFILE_ATTRIBUTES, Account, change_account, ensure_account, find_account

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_ACCOUNT_FIELDS = (
    "name", "language", "time_zone", "street", "city", "state", "postal_code", "country", "web_analytics",
)  # fmt: skip

Act: TypeAlias = Callable[[Connection], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Step:
    """One difference: ``text`` says it; ``act`` mends it within the transaction, ``publish`` after it. ``subject`` is
    what is published, for what is said of it."""

    text: str
    act: Act | None = None
    publish: Callable[[], Awaitable[Published | None]] | None = None
    subject: str = ""


async def plan(connection: Connection, publisher: Publisher, blueprint: Blueprint) -> list[Step]:
    """What has to be done, in order. Changes nothing."""
    return await _Planner(connection, publisher, blueprint).steps()


async def carry_out(pool: Pool, steps: list[Step]) -> list[str]:
    """Do it; what is doubtful in the templates that were published, a line each.

    Raises what the catalogue raises: `ExtensionRejected`, `PublishingRejected`, `ContentRejected`.
    """
    async with pool.acquire() as connection, connection.transaction():
        for step in steps:
            if step.act is not None:
                await step.act(connection)
    doubtful: list[str] = []
    for step in steps:
        if step.publish is not None:
            published = await step.publish()
            warnings = () if published is None else published.warnings
            doubtful.extend(f"{step.subject}: {problem}" for problem in warnings)
    return doubtful


class _Planner:
    def __init__(self, connection: Connection, publisher: Publisher, blueprint: Blueprint) -> None:
        self._connection = connection
        self._publisher = publisher
        self._blueprint = blueprint
        self._account_id = blueprint.account.mid
        self._touched: set[tuple[str, str]] = set()
        """Assets and classifications that change: what is made from them is published anew."""

    async def steps(self) -> list[Step]:
        steps = await self._account()
        for find in (self._attributes, self._lists, self._classifications, self._extensions, self._assets):
            steps += await find()
        return steps + await self._suppressions() + await self._definitions()

    async def _account(self) -> list[Step]:
        wanted = account_change(self._blueprint.account)
        stored = await find_account(self._connection, self._account_id)
        before = stored or Account(self._account_id, wanted.name or f"Business unit {self._account_id}")
        changes = [
            f"{what} {getattr(before, what)!r} becomes {new!r}"
            for what in _ACCOUNT_FIELDS
            if (new := getattr(wanted, what)) is not None and new != getattr(before, what)
        ]
        changes += [
            f"page {page!r} leads to {address}"
            for page, address in wanted.pages.items()
            if before.pages.get(page) != address
        ]
        steps = []
        if stored is None:
            steps.append(
                Step(
                    f"+ business unit {self._account_id} {before.name!r}",
                    lambda connection: ensure_account(connection, self._account_id, before.name),
                )
            )
        if changes:
            steps.append(
                Step(
                    f"~ business unit {self._account_id}: {', '.join(changes)}",
                    lambda connection: change_account(connection, self._account_id, wanted),
                )
            )
        return steps

    async def _attributes(self) -> list[Step]:
        declared = await declared_attributes(self._connection, self._account_id)
        # A new business unit has these from the beginning.
        known = {fold_name(name) for name in declared or PROFILE_ATTRIBUTES}
        return [
            Step(f"+ profile attribute {name!r}", self._act(declare_attribute, name))
            for name in self._blueprint.profile_attributes
            if fold_name(name) not in known
        ]

    async def _lists(self) -> list[Step]:
        return [
            Step(f"+ list {name!r}", self._act(create_list, name))
            for name in self._blueprint.lists
            if not is_everyone(name) and await find_list(self._connection, self._account_id, name) is None
        ]

    async def _classifications(self) -> list[Step]:
        steps = []
        for part in self._blueprint.classification:
            wanted = classification(part)
            stored = await find_classification(self._connection, self._account_id, part.key)
            if stored is not None:
                wanted = replace(wanted, key=stored.key)
            if wanted == stored:
                continue
            self._touched.add(("classification", part.key.casefold()))
            changed = "" if stored is None else ": " + _changed(stored, wanted)
            steps.append(
                Step(f"{_sign(stored)} classification {part.key!r}{changed}", self._act(store_classification, wanted))
            )
        return steps

    async def _extensions(self) -> list[Step]:
        steps = []
        for part in self._blueprint.data_extension:
            wanted = extension_draft(part)
            stored = await find_extension(self._connection, self._account_id, part.key)
            if stored is None:
                steps.append(Step(f"+ data extension {part.key!r}", self._act(create_extension, uuid7(), wanted)))
                continue
            names = [
                name
                for name in ("name", "description", "columns", "subscriber_column")
                if getattr(stored, name) != getattr(wanted, name)
            ]
            if names:
                # Blueprints know nothing of folders.
                wanted = replace(wanted, category_id=stored.category_id)
                act = partial(change_extension, current=stored, draft=wanted)
                steps.append(Step(f"~ data extension {part.key!r}: {', '.join(names)}", act))
        return steps

    async def _assets(self) -> list[Step]:
        steps = []
        for part in self._blueprint.asset:
            stored = await find_asset(self._connection, self._account_id, part.key)
            wanted = _asset_draft(part)
            if stored is None:
                self._touched.add(("asset", part.key.casefold()))
                steps.append(Step(f"+ asset {part.key!r}", self._act(create_asset, uuid7(), wanted)))
                continue
            wanted = replace(
                stored.draft,
                asset_type=wanted.asset_type,
                name=wanted.name,
                views=wanted.views,
                document=_document(part, stored.draft.document),
                file=None,
            )
            if _told(stored.draft) != _told(wanted):
                self._touched.add(("asset", part.key.casefold()))
                steps.append(Step(f"~ asset {part.key!r}", self._act(replace_asset, stored.asset_id, wanted)))
        return steps

    async def _suppressions(self) -> list[Step]:
        now = datetime.now(UTC)
        entries = suppression_entries(self._blueprint.suppression)
        wanted = [each for each in entries if each.expires_at is None or each.expires_at > now]
        missing = await missing_entries(self._connection, self._account_id, wanted) if wanted else []
        if not missing:
            return []
        of_them = repr(missing[0].address) if len(missing) == 1 else f"{len(missing)} addresses"
        return [Step(f"+ suppression of {of_them}", self._act(suppress, missing))]

    async def _definitions(self) -> list[Step]:
        steps = []
        for part in self._blueprint.definition:
            stored = await find_definition(self._connection, self._account_id, part.key)
            if stored is None:
                draft = _definition_draft(part)
                steps.append(
                    Step(
                        f"+ definition {part.key!r}",
                        publish=_later(self._publisher.create, self._account_id, draft),
                        subject=f"definition {part.key!r}",
                    )
                )
                continue
            names = await self._differences(stored, part)
            if ("asset", part.asset.casefold()) in self._touched and "content" not in names:
                names.append("content")
            if ("classification", part.classification.casefold()) in self._touched and "sender" not in names:
                names.append("sender")
            if names:
                change = _definition_change(part, content="content" in names or "sender" in names)
                steps.append(
                    Step(
                        f"~ definition {part.key!r}: {', '.join(names)}",
                        publish=_later(self._publisher.change, self._account_id, part.key, change),
                        subject=f"definition {part.key!r}",
                    )
                )
        return steps

    async def _differences(self, stored: Definition, part: DefinitionPart) -> list[str]:
        wanted_list = await find_list(self._connection, self._account_id, part.list)
        pairs = {
            "name": (stored.name, part.name or part.key),
            "description": (stored.description, part.description or None),
            "status": (stored.status, part.status),
            "classification": (stored.classification_key.casefold(), part.classification.casefold()),
            "content": (stored.content_key.casefold(), part.asset.casefold()),
            "list": (stored.list_id, None if wanted_list is None else wanted_list.list_id),
            "auto_add_subscriber": (stored.auto_add_subscriber, part.auto_add_subscriber),
            "update_subscriber": (stored.update_subscriber, part.update_subscriber),
            "track_links": (stored.track_links, part.track_links),
            "cc": (stored.cc, part.cc),
            "bcc": (stored.bcc, part.bcc),
            "sending": (stored.sending, sending_options(part)),
        }
        if part.data_extension is not None:
            pairs["data_extension"] = (
                (stored.data_extension_key or "").casefold(),
                part.data_extension.casefold(),
            )
        return [name for name, (before, after) in pairs.items() if before != after]

    def _act(self, function: Callable[..., Awaitable[object]], *arguments: object) -> Act:
        return lambda connection: function(connection, self._account_id, *arguments)


def _later(
    function: Callable[..., Awaitable[Published | None]], *arguments: object
) -> Callable[[], Awaitable[Published | None]]:
    return lambda: function(*arguments)


def _sign(stored: object) -> str:
    return "+" if stored is None else "~"


def _changed(stored: object, wanted: "DataclassInstance") -> str:
    names = [field.name for field in fields(wanted)]
    return ", ".join(name for name in names if getattr(stored, name) != getattr(wanted, name))


def _asset_draft(part: AssetPart) -> AssetDraft:
    views = {"subjectline": {"content": part.subject}}
    for name, content in (("preheader", part.preheader), ("html", part.html), ("text", part.text)):
        if content:
            views[name] = {"content": content}
    return AssetDraft(
        customer_key=part.key,
        asset_type=208 if part.html is not None else 209,
        name=part.name or part.key,
        description="",
        content=None,
        views=msgspec.json.encode(views).decode(),
        document=_document(part, "{}"),
    )


def _document(part: AssetPart, before: str) -> str:
    """The further members of an asset, with the attachments that the file states."""
    if part.attachments is None:
        return before
    members = msgspec.json.decode(before, type=dict[str, object])
    own = members.get("postroom")
    members["postroom"] = {**(own if isinstance(own, dict) else {}), "attachments": _attachments(part.attachments)}
    return msgspec.json.encode(members).decode()


def _attachments(parts: Sequence[AttachmentPart]) -> list[dict[str, object]]:
    entries = (AttachmentEntry(**msgspec.structs.asdict(part)) for part in parts)
    return [
        {name: value for name, value in msgspec.to_builtins(entry).items() if value is not None} for entry in entries
    ]


def _told(draft: AssetDraft) -> tuple[object, ...]:
    """What of an asset a file can state, in a form to be compared."""
    own = msgspec.json.decode(draft.document, type=dict[str, object]).get("postroom")
    attachments = own.get("attachments") if isinstance(own, dict) else None
    return msgspec.json.decode(draft.views), draft.asset_type, draft.name, attachments or []


def _definition_draft(part: DefinitionPart) -> DefinitionDraft:
    return DefinitionDraft(
        definition_key=part.key,
        name=part.name or part.key,
        content_key=part.asset,
        list_key=part.list,
        data_extension_key=part.data_extension or None,
        description=part.description,
        status=part.status,
        classification_key=part.classification,
        auto_add_subscriber=part.auto_add_subscriber,
        update_subscriber=part.update_subscriber,
        track_links=part.track_links,
        cc=part.cc,
        bcc=part.bcc,
        sending=sending_options(part),
    )


def _definition_change(part: DefinitionPart, *, content: bool) -> DefinitionChange:
    return DefinitionChange(
        name=part.name or part.key,
        content_key=part.asset if content else None,
        list_key=part.list,
        data_extension_key=part.data_extension,
        description=part.description or "",
        status=part.status,
        classification_key=part.classification,
        auto_add_subscriber=part.auto_add_subscriber,
        update_subscriber=part.update_subscriber,
        track_links=part.track_links,
        cc=part.cc,
        bcc=part.bcc,
        sending=sending_options(part),
    )
