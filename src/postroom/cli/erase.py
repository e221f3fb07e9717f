"""`postroom erase`: a person's data, everywhere, with a receipt."""

import getpass
from typing import Annotated
from uuid import UUID

import msgspec
import typer
from uuid_utils.compat import uuid7

from postroom.audience.suppression import AddressInvalid
from postroom.audience.suppression_file import moment_text
from postroom.cli.database import run_with_pool
from postroom.cli.options import with_settings
from postroom.privacy.erasure import Receipt, begin_erasure, carry_out, find_receipt
from postroom.settings import Settings
from postroom.store.database import Pool
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID, find_account


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
) -> None:
    """Erase a person's data in a business unit and print the receipt as JSON; there is no way back.

    Exit code 1 when a message to the person is being sent at this moment: the erasure goes on by itself where a server
    runs, and when the command is given again.
    """
    if [contact_key, address, receipt].count(None) != 2:
        raise typer.BadParameter("give one of --contact-key, --address and --receipt")

    async def work(pool: Pool) -> Receipt:
        if await find_account(pool, mid) is None:
            raise typer.BadParameter(f"there is no business unit {mid}", param_hint="--mid")
        if receipt is not None:
            found = await find_receipt(pool, mid, _receipt_id(receipt))
            if found is None:
                raise typer.BadParameter(f"there is no receipt {receipt}", param_hint="--receipt")
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
        found = run_with_pool(settings, "postroom erase", work)
    except AddressInvalid as invalid:
        raise typer.BadParameter(str(invalid), param_hint="--address") from None
    shown = {
        "id": str(found.erasure_id),
        "state": found.state,
        "suppress": found.suppress,
        "requestedBy": found.requested_by,
        "requested": moment_text(found.requested_at),
        "finished": None if found.finished_at is None else moment_text(found.finished_at),
        "erased": found.counts,
    }
    typer.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2))
    if found.state == "waiting":
        raise typer.Exit(1)


def _receipt_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(f"{text[:50]!r} is no receipt's id", param_hint="--receipt") from None
