"""`postroom erase`: a person's data, everywhere, with a receipt."""

import getpass
from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import typer
from uuid_utils.compat import uuid7

from postroom.audience.suppression import AddressInvalid
from postroom.audience.suppression_file import moment_text
from postroom.cli.database import run_with_pool
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, clock_text, note, print_json
from postroom.privacy.erasure import Receipt, begin_erasure, carry_out, find_receipt
from postroom.settings import Settings
from postroom.store.database import Pool
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID

_WORDS = {
    "contacts": "contacts",
    "listMemberships": "list memberships",
    "queuedMessages": "queued messages",
    "messages": "messages",
    "requests": "requests",
    "events": "events",
    "dataExtensionRows": "rows of data extensions",
    "capturedMails": "captured mails",
    "suppressions": "suppressions",
}


@with_settings
def erase(
    settings: Settings,
    contact_key: Annotated[
        str | None, typer.Option("--contact-key", help="The contact, with all messages that went to it.")
    ] = None,
    address: Annotated[
        str | None, typer.Option("--address", help="The address, with the contacts that have it and all of theirs.")
    ] = None,
    receipt: Annotated[str | None, typer.Option("--receipt", help="Erase nothing; print this receipt again.")] = None,
    suppress: Annotated[
        bool, typer.Option("--suppress/--no-suppress", help="Whether the address gets no mail from now on.")
    ] = True,
    mid: Annotated[int, typer.Option("--mid", help="The business unit.")] = DEFAULT_ACCOUNT_ID,
    as_json: AsJson = False,
) -> None:
    """Erase a person's data in a business unit and print the receipt; there is no way back.

    Exit code 1 when a message to the person is being sent at this moment: the erasure goes on by itself where a server
    runs, and when the command is given again.
    """
    if [contact_key, address, receipt].count(None) != 2:
        raise typer.BadParameter("give one of --contact-key, --address and --receipt")
    if contact_key is not None and not contact_key.strip():
        raise typer.BadParameter("it is empty; write the key of the contact", param_hint="--contact-key")

    async def work(pool: Pool) -> Receipt:
        if receipt is not None:
            found = await find_receipt(pool, mid, _receipt_id(receipt))
            if found is None:
                raise typer.BadParameter(f"business unit {mid} has no receipt {receipt}", param_hint="--receipt")
            return found
        async with pool.acquire() as connection, connection.transaction():
            erasure_id = await begin_erasure(
                connection,
                mid,
                new_id=uuid7(),
                requested_by=f"postroom erase ({getpass.getuser()})",
                contact_key=contact_key,
                address=address,
                suppress=suppress,
            )
        return await carry_out(pool, mid, erasure_id)

    try:
        found = run_with_pool(settings, "postroom erase", work, mid=mid)
    except AddressInvalid as invalid:
        raise typer.BadParameter(str(invalid), param_hint="--address") from None
    if as_json:
        print_json(_shown(found))
    else:
        for line in _lines(found):
            typer.echo(line)
    if found.state == "waiting":
        note("a message to this person is being sent at this moment; give the command again, unless a server runs")
        raise typer.Exit(1)


def _lines(found: Receipt) -> Iterator[str]:
    """The receipt in words."""
    yield f"receipt {found.erasure_id}: {found.state}"
    times = f"  requested {clock_text(found.requested_at)} by {found.requested_by}"
    yield times if found.finished_at is None else f"{times}, finished {clock_text(found.finished_at)}"
    erased = ", ".join(f"{number} {_WORDS.get(name, name)}" for name, number in found.counts.items() if number)
    yield f"  erased: {erased or 'nothing, for nothing was there'}"
    if found.suppress:
        yield "  every address of this person gets no mail from now on"


def _shown(found: Receipt) -> dict[str, object]:
    return {
        "id": str(found.erasure_id),
        "state": found.state,
        "suppress": found.suppress,
        "requestedBy": found.requested_by,
        "requested": moment_text(found.requested_at),
        "finished": None if found.finished_at is None else moment_text(found.finished_at),
        "erased": found.counts,
    }


def _receipt_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        fix = "write the id that erasing printed, such as 019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d17"
        raise typer.BadParameter(f"{text[:50]!r} is no receipt's id; {fix}", param_hint="--receipt") from None
