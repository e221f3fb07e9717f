"""The stated shape of a business unit: what `postroom apply` reads from a TOML file kept in git.

What the file names is made so; what it does not name is left alone. Fields that are not written have the default
given here.
"""

import io
from collections.abc import Iterable
from typing import Literal

import msgspec

from postroom.audience.suppression import Entry
from postroom.audience.suppression_file import FileFormat, moment_text, read_file, read_line
from postroom.catalog.attachments import AttachmentEntry
from postroom.catalog.blueprint_folder import BlueprintFolder, BlueprintRejected
from postroom.catalog.classifications import Classification
from postroom.catalog.data_columns import COLUMN_TYPES, Column
from postroom.catalog.data_extensions import ExtensionDraft, ExtensionRejected, checked
from postroom.catalog.sending_options import SendingOptions, problem_of
from postroom.tenancy.accounts import AccountChange, AccountRejected, checked_change

# What msgspec says of a file without the one table that must be there.
_NO_ACCOUNT = "Object missing required field `account`"


class _Part(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Unknown names are mistakes, never ignored."""


class AccountPart(_Part, frozen=True):
    mid: int
    name: str | None = None
    language: Literal["en", "de", "fr", "es"] | None = None
    time_zone: str | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    web_analytics: str | None = None
    tracking_privacy: Literal["server", "full", "private"] | None = None
    pages: dict[str, str] = {}


class ClassificationPart(_Part, frozen=True):
    key: str
    name: str | None = None
    type: Literal["transactional", "commercial"] = "transactional"
    from_name: str = ""
    from_address: str = ""
    reply_to: str = ""
    block_unsubscribed: bool = False


class FieldPart(_Part, frozen=True):
    name: str
    type: str = "Text"
    length: int | None = None
    scale: int = 0
    primary_key: bool = False
    nullable: bool = True
    default: str | None = None


class ExtensionPart(_Part, frozen=True):
    key: str
    field: list[FieldPart]
    name: str | None = None
    description: str = ""
    subscriber_column: str | None = None


class AttachmentPart(_Part, frozen=True):
    """A file of an email: ``file`` is the name of one beside the blueprint, once read its bytes in base64."""

    file: str | None = None
    customer_key: str | None = None
    file_name: str | None = None
    content_id: str | None = None
    content_type: str | None = None


class AssetPart(_Part, frozen=True):
    """An email; ``html``, ``text`` and attachments are given or read from files beside the blueprint. Attachments that
    are not written are left as they are; an empty list takes them away."""

    key: str
    subject: str
    name: str | None = None
    preheader: str = ""
    html: str | None = None
    html_file: str | None = None
    text: str | None = None
    text_file: str | None = None
    attachments: tuple[AttachmentPart, ...] | None = None


class SendingPart(_Part, frozen=True):
    """The sending options of a definition, in the names of this file."""

    deliver_before: int | None = None
    on_unknown: str | None = None
    route: str | None = None
    list_unsubscribe: bool = False
    retry_schedule: str | None = None
    track_opens: bool | None = None


class DefinitionPart(_Part, frozen=True):
    key: str
    asset: str
    name: str | None = None
    description: str | None = None
    status: Literal["Active", "Inactive"] = "Active"
    classification: str = "Default Transactional"
    list: str = "All Subscribers"
    data_extension: str | None = None
    auto_add_subscriber: bool = True
    update_subscriber: bool = True
    track_links: bool = True
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    sending: SendingPart = SendingPart()


class SuppressionPart(_Part, frozen=True):
    address: str
    cause: str = "manual"
    evidence: str = ""
    expires: str | None = None


class Blueprint(_Part, frozen=True):
    """The whole file."""

    account: AccountPart
    profile_attributes: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    classification: tuple[ClassificationPart, ...] = ()
    data_extension: tuple[ExtensionPart, ...] = ()
    asset: tuple[AssetPart, ...] = ()
    definition: tuple[DefinitionPart, ...] = ()
    suppression: tuple[SuppressionPart, ...] = ()
    suppression_file: str | None = None


def read_blueprint(text: str, folder: BlueprintFolder) -> Blueprint:
    """The blueprint of a TOML text, its emails whole. ``folder`` has the files that the blueprint names.

    Raises BlueprintRejected.
    """
    try:
        blueprint = msgspec.toml.decode(text, type=Blueprint)
    except msgspec.ValidationError as wrong:
        if str(wrong) == _NO_ACCOUNT:
            raise BlueprintRejected(
                "it names no business unit; begin with the lines [account] and mid = 100001"
            ) from None
        raise BlueprintRejected(str(wrong).replace("`$.", "`").replace("Object", "the table")) from None
    except msgspec.DecodeError as wrong:
        raise BlueprintRejected(f"it is not TOML: {wrong}") from None
    account_change(blueprint.account)
    for kind in ("classification", "data_extension", "asset", "definition"):
        keys = [part.key.casefold() for part in getattr(blueprint, kind)]
        for key in keys:
            if not key.strip() or "\0" in key:
                raise BlueprintRejected(f"{kind}: a key is empty or holds a NUL character")
            if keys.count(key) > 1:
                raise BlueprintRejected(f"{kind} {key!r} is there twice")
    for extension in blueprint.data_extension:
        extension_draft(extension)
    for definition in blueprint.definition:
        sending_options(definition)
    suppressed = (*blueprint.suppression, *_suppressed(blueprint.suppression_file, folder))
    suppression_entries(suppressed)
    blueprint = msgspec.structs.replace(blueprint, suppression=suppressed, suppression_file=None)
    return msgspec.structs.replace(blueprint, asset=tuple(_with_files(part, folder) for part in blueprint.asset))


def account_change(part: AccountPart) -> AccountChange:
    """What of the business unit the file states, but its MID. Raises BlueprintRejected."""
    stated = msgspec.structs.asdict(part)
    del stated["mid"]
    try:
        return checked_change(AccountChange(**stated))
    except AccountRejected as rejected:
        raise BlueprintRejected(f"account: {rejected}") from None


def extension_draft(part: ExtensionPart) -> ExtensionDraft:
    """The data extension in the catalogue's terms. Raises BlueprintRejected."""
    columns = []
    for field in part.field:
        known = COLUMN_TYPES.get(field.type.lower())
        if known is None:
            raise BlueprintRejected(
                f"data_extension {part.key!r}: field {field.name!r} has type {field.type!r}; "
                f"it must be one of {', '.join(COLUMN_TYPES.values())}"
            )
        columns.append(
            Column(
                name=field.name,
                type=known,
                length=field.length,
                scale=field.scale,
                primary_key=field.primary_key,
                nullable=field.nullable,
                default=field.default,
            )
        )
    draft = ExtensionDraft(part.key, part.name or part.key, part.description, tuple(columns), part.subscriber_column)
    try:
        return checked(draft)
    except ExtensionRejected as rejected:
        raise BlueprintRejected(f"data_extension {part.key!r}: {rejected}") from None


def sending_options(part: DefinitionPart) -> SendingOptions:
    """The definition's sending options. Raises BlueprintRejected."""
    options = SendingOptions(**msgspec.structs.asdict(part.sending))
    problem = problem_of(options)
    if problem is not None:
        raise BlueprintRejected(f"definition {part.key!r}: sending.{problem[0]}: {problem[1]}")
    return options


def suppression_entries(parts: Iterable[SuppressionPart]) -> list[Entry]:
    """The suppressions in the audience's terms. Raises BlueprintRejected."""
    entries = []
    for number, part in enumerate(parts, 1):
        line = read_line(number, part.address, part.cause, part.evidence, part.expires, "manual")
        if line.entry is None:
            raise BlueprintRejected(f"suppression {number}: {line.problem}")
        entries.append(line.entry)
    return entries


def _suppressed(name: str | None, folder: BlueprintFolder) -> list[SuppressionPart]:
    if name is None:
        return []
    kind: FileFormat = "ndjson" if name.lower().endswith((".ndjson", ".jsonl")) else "csv"
    parts = []
    for line in read_file(kind, io.StringIO(folder.text(name).removeprefix("\ufeff"), newline="")):
        if line.entry is None:
            raise BlueprintRejected(f"file {name!r}, line {line.number}: {line.problem}")
        entry = line.entry
        expires = None if entry.expires_at is None else moment_text(entry.expires_at)
        parts.append(SuppressionPart(entry.address, entry.cause, entry.evidence, expires))
    return parts


def classification(part: ClassificationPart) -> Classification:
    """The classification in the catalogue's terms."""
    return Classification(
        key=part.key,
        transactional=part.type == "transactional",
        from_name=part.from_name,
        from_address=part.from_address,
        reply_to=part.reply_to,
        name=part.name or part.key,
        block_unsubscribed=part.block_unsubscribed,
    )


def _with_files(part: AssetPart, folder: BlueprintFolder) -> AssetPart:
    for inline, file, name in ((part.html, part.html_file, "html"), (part.text, part.text_file, "text")):
        if inline is not None and file is not None:
            raise BlueprintRejected(f"asset {part.key!r}: give {name} or {name}_file, not both")
    html = folder.text(part.html_file) if part.html_file is not None else part.html
    text = folder.text(part.text_file) if part.text_file is not None else part.text
    if html is None and text is None:
        raise BlueprintRejected(f"asset {part.key!r}: give html, html_file, text or text_file")
    attachments = part.attachments
    if attachments:
        entries = tuple(AttachmentEntry(**msgspec.structs.asdict(each)) for each in attachments)
        whole = folder.attachments(part.key, entries)
        attachments = tuple(AttachmentPart(**msgspec.structs.asdict(each)) for each in whole)
    return msgspec.structs.replace(part, html=html, html_file=None, text=text, text_file=None, attachments=attachments)
