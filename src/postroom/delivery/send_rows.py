"""The row that each send writes into its definition's data extension (contract §4.3).

The row is written when the message is loaded, before its mail is built, and carries the message it belongs to: a
message that is loaded again finds its own row and writes no second one. What the mail shows of the data extension is
what the row holds, defaults included.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from postroom.catalog.data_columns import cell_value, shown_text
from postroom.catalog.data_extensions import DataExtension, load_extension
from postroom.catalog.data_rows import Cells, NewRow, RowFault, RowProblem, insert_message_rows, message_cells
from postroom.content.attributes import fold_name
from postroom.delivery.slices import Message
from postroom.events.codes import StatusCode
from postroom.store.pool import Pool

_CODES = {
    RowFault.MISSING: StatusCode.MISSING_REQUIRED_FIELDS,
    RowFault.INVALID: StatusCode.INVALID_FIELD_VALUE,
    RowFault.DUPLICATE: StatusCode.DUPLICATE_DATA_EXTENSION_ROW,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is not sent."""

    code: StatusCode
    reason: str


async def write_send_rows(
    pool: Pool, account_id: int, extension_id: int, messages: Sequence[Message]
) -> list[Refusal | None]:
    """Write the rows of one definition's messages, and add to their attributes what the rows know beyond them.

    A column that the message does not name gives its default; one that is null prints nothing, unless the
    contact's profile has a value of that name.
    """
    extension = await load_extension(pool, account_id, extension_id)
    if extension is None:
        refusal = Refusal(StatusCode.DATA_EXTENSION_INSERT_FAILED, "the definition's data extension is gone")
        return [refusal] * len(messages)
    rows = [NewRow(_values(extension, message), message.request.request_id, message.position) for message in messages]
    async with pool.acquire() as connection, connection.transaction():
        problems, cells = await insert_message_rows(connection, extension, rows, datetime.now(UTC))
    refusals: list[Refusal | None] = []
    for message, problem, row in zip(messages, problems, cells, strict=True):
        refusals.append(None if problem is None else _refusal(problem))
        if problem is None:
            _know_row(message, extension, row)
    return refusals


async def read_send_row(pool: Pool, account_id: int, extension_id: int, message: Message) -> None:
    """Add to a sent message's attributes what its row knows beyond them, as far as there still is one."""
    extension = await load_extension(pool, account_id, extension_id)
    if extension is not None:
        row = await message_cells(pool, extension, message.request.request_id, message.position)
        _know_row(message, extension, row)


def _know_row(message: Message, extension: DataExtension, row: Cells) -> None:
    known = {fold_name(name) for name in message.contact.profile}
    attributes = dict(message.attributes)
    for column in extension.columns:
        name = column.folded
        if name not in attributes and (name in row or name not in known):
            text = row.get(name)
            attributes[name] = shown_text(column, text) if column.type == "Date" else cell_value(column, text)
    message.attributes = attributes


def _values(extension: DataExtension, message: Message) -> dict[str, object]:
    """What the send says of each column; attributes that are no column belong to the mail alone."""
    values: dict[str, object] = {}
    subscriber = None if extension.subscriber_column is None else fold_name(extension.subscriber_column)
    for column in extension.columns:
        name = column.folded
        if name == "subscriberkey":
            values[name] = message.contact_key
        elif name == "emailaddress":
            values[name] = message.address
        elif name in message.attributes:
            values[name] = message.attributes[name]
        elif name == subscriber:
            values[name] = message.contact_key
    return values


def _refusal(problem: RowProblem) -> Refusal:
    return Refusal(_CODES.get(problem.fault, StatusCode.DATA_EXTENSION_INSERT_FAILED), problem.text)
