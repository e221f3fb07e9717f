"""`postroom account`: the business units."""

import dataclasses
from typing import Annotated

import typer

from postroom.cli.database import run_on_database
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, print_facts, print_json, print_list
from postroom.settings import Settings
from postroom.store.pool import Connection
from postroom.tenancy.accounts import (
    LANGUAGES,
    Account,
    AccountChange,
    AccountIdInvalid,
    AccountRejected,
    change_account,
    checked_change,
    ensure_account,
    list_accounts,
)

_ZONE = "Of its local dates in templates, such as Europe/Berlin."
_LANGUAGE = f"The language of its recipients' pages: {', '.join(LANGUAGES)}."

_ROLE = "postroom account"
_HINTS = {"pages": "--page", "tracking_privacy": "--privacy"}

account_app = typer.Typer(help="Business units: each with its own keys, content and clients.", no_args_is_help=True)


@account_app.callback()
def accounts() -> None:
    """Business units: each with its own keys, content and clients."""


@account_app.command("create")
@with_settings
def create_command(
    settings: Settings,
    mid: Annotated[int, typer.Option("--mid", help="Its MID, a number of your choice.")],
    name: Annotated[str, typer.Option("--name", help='What it is called. ["Business unit" and its MID]')] = "",
    language: Annotated[str, typer.Option("--language", help=_LANGUAGE)] = LANGUAGES[0],
    time_zone: Annotated[str | None, typer.Option("--time-zone", help=f"{_ZONE} [America/Chicago]")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a business unit with its list, classification and content folder; print what is set."""
    shown_name = name.strip() or f"Business unit {mid}"
    change = _checked(AccountChange(name=shown_name, language=language, time_zone=time_zone))

    async def create(connection: Connection) -> Account | None:
        async with connection.transaction():
            if not await ensure_account(connection, mid, shown_name, language):
                return None
            return await change_account(connection, mid, change)

    try:
        created = run_on_database(settings, _ROLE, create)
    except AccountIdInvalid as invalid:
        raise typer.BadParameter(str(invalid), param_hint="--mid") from None
    if created is None:
        text = f"there is already a business unit {mid}; postroom account change --mid {mid} changes it"
        raise typer.BadParameter(text, param_hint="--mid")
    _show(created, as_json)


@account_app.command("change")
@with_settings
def change_command(
    settings: Settings,
    mid: Annotated[int, typer.Option("--mid", help="Which business unit.")],
    name: Annotated[str | None, typer.Option("--name", help="What it is called from now on. [as it is]")] = None,
    language: Annotated[str | None, typer.Option("--language", help=f"{_LANGUAGE} [as it is]")] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help=f"{_ZONE} [as it is]")] = None,
    street: Annotated[str | None, typer.Option("--street", help="What %%member_addr%% prints.")] = None,
    city: Annotated[str | None, typer.Option("--city", help="What %%member_city%% prints.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="What %%member_state%% prints.")] = None,
    postal_code: Annotated[str | None, typer.Option("--postal-code", help="What %%member_postalcode%% prints.")] = None,
    country: Annotated[str | None, typer.Option("--country", help="What %%member_country%% prints.")] = None,
    web_analytics: Annotated[
        str | None, typer.Option("--web-analytics", help="What WAT prints, such as utm_source=mail.")
    ] = None,
    privacy: Annotated[
        str | None,
        typer.Option(
            "--privacy",
            help="Whether its opens and clicks keep address and user agent: full, private, or server (the setting).",
        ),
    ] = None,
    page: Annotated[
        list[str] | None,
        typer.Option(
            "--page",
            help="A page of CloudPagesURL, ID=https://…; ID= takes it out. May be given several times.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a business unit, and print what is set. Delivery processes know it within a minute."""
    change = _checked(
        AccountChange(
            name=name,
            language=language,
            time_zone=time_zone,
            street=street,
            city=city,
            state=state,
            postal_code=postal_code,
            country=country,
            web_analytics=web_analytics,
            tracking_privacy=privacy,
            pages=dict(_page(text) for text in page or ()),
        )
    )

    async def write(connection: Connection) -> Account | None:
        return await change_account(connection, mid, change)

    changed = run_on_database(settings, _ROLE, write, mid=mid)
    assert changed is not None
    _show(changed, as_json)


def _page(text: str) -> tuple[str, str | None]:
    page, equals, address = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text[:60]!r} names no address; write 123=https://…", param_hint="--page")
    return page, address or None


def _checked(change: AccountChange) -> AccountChange:
    try:
        return checked_change(change)
    except AccountRejected as rejected:
        hint = _HINTS.get(rejected.field) or "--" + rejected.field.replace("_", "-")
        raise typer.BadParameter(str(rejected), param_hint=hint) from None


@account_app.command("list")
@with_settings
def list_command(settings: Settings, as_json: AsJson = False) -> None:
    """Print all business units; with --json all that is set."""

    async def read(connection: Connection) -> list[Account]:
        return await list_accounts(connection)

    found = run_on_database(settings, _ROLE, read)
    rows = [
        {
            "mid": each.account_id,
            "name": each.name,
            "language": each.language,
            "time zone": each.time_zone,
            "privacy": each.tracking_privacy,
        }
        for each in found
    ]
    print_list([dataclasses.asdict(each) for each in found], rows, "no business units", as_json=as_json)


def _show(account: Account, as_json: bool) -> None:
    known = dataclasses.asdict(account)
    if as_json:
        print_json(known)
        return
    pages = known.pop("pages")
    facts = {name.replace("_", " "): value for name, value in known.items() if name != "account_id"}
    print_facts({"mid": account.account_id} | facts | {f"page {page}": target for page, target in pages.items()})
