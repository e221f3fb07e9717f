"""`postroom key`: the secrets that templates use by name."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from postroom.audience.suppression_file import moment_text
from postroom.cli.database import run_on_database
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, note, print_json, print_list
from postroom.settings import Settings
from postroom.store.pool import Connection
from postroom.tenancy.accounts import DEFAULT_ACCOUNT_ID
from postroom.tenancy.sealing import load_seal
from postroom.tenancy.template_keys import (
    KeyKind,
    KeyRejected,
    TemplateKey,
    create_key,
    delete_key,
    list_keys,
    read_secret,
)

key_app = typer.Typer(help="Secrets that templates use by name, and never see.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="What templates call it, in any case.", metavar="NAME")]
Mid = Annotated[int, typer.Option("--mid", help="The business unit it belongs to.")]
_ROLE = "postroom key"


@key_app.callback()
def keys() -> None:
    """Secrets that templates use by name: of EncryptSymmetric, GetJWTByKeyName and CloudPagesURL."""


@key_app.command("create")
@with_settings
def create_command(
    settings: Settings,
    name: Name,
    kind: Annotated[
        KeyKind,
        typer.Option(
            "--kind",
            help="symmetric (a password), salt and iv (hexadecimal digits), jwt (a text), rsa (a private key in PEM), "
            "or page (what seals the parameters of CloudPagesURL).",
        ),
    ],
    file: Annotated[
        str, typer.Option("--file", help="The file that holds the secret; - reads it from standard input.")
    ] = "-",
    mid: Mid = DEFAULT_ACCOUNT_ID,
    as_json: AsJson = False,
) -> None:
    """Store a secret, sealed. It is never shown again; delivery processes know it within a minute."""
    if file == "-" and sys.stdin is not None and sys.stdin.isatty():
        note("type the secret, and Ctrl-D on a line of its own")
    try:
        secret = read_secret(kind, sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except KeyRejected as rejected:
        raise typer.BadParameter(str(rejected), param_hint="--file") from None
    except OSError as problem:
        raise typer.BadParameter(
            f"{file} can't be read ({problem.strerror}); name a file that holds the secret", param_hint="--file"
        ) from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not a text in UTF-8", param_hint="--file") from None

    async def create(connection: Connection) -> None:
        seal = await load_seal(connection)
        async with connection.transaction():
            await create_key(connection, mid, name, kind, secret, seal=seal)

    try:
        run_on_database(settings, _ROLE, create, mid=mid)
    except KeyRejected as rejected:
        raise typer.BadParameter(str(rejected), param_hint="NAME") from None
    if as_json:
        print_json({"name": name.strip(), "kind": kind})
    else:
        typer.echo(f"business unit {mid} has the {kind} key {name.strip()!r}")


@key_app.command("list")
@with_settings
def list_command(settings: Settings, mid: Mid = DEFAULT_ACCOUNT_ID, as_json: AsJson = False) -> None:
    """Print the keys of a business unit, without their secrets."""

    async def read(connection: Connection) -> list[TemplateKey]:
        return await list_keys(connection, mid)

    found = run_on_database(settings, _ROLE, read, mid=mid)
    shown = [{"name": key.name, "kind": key.kind, "created_at": moment_text(key.created_at)} for key in found]
    rows = [{"name": key.name, "kind": key.kind, "created": key.created_at} for key in found]
    print_list(shown, rows, f"business unit {mid} has no keys", as_json=as_json)


@key_app.command("delete")
@with_settings
def delete_command(settings: Settings, name: Name, mid: Mid = DEFAULT_ACCOUNT_ID, as_json: AsJson = False) -> None:
    """Forget a key; messages that need it fail from then on."""

    async def delete(connection: Connection) -> bool:
        return await delete_key(connection, mid, name)

    if not run_on_database(settings, _ROLE, delete, mid=mid):
        text = f"business unit {mid} has no key {name!r}; postroom key list shows those it has"
        raise typer.BadParameter(text, param_hint="NAME")
    if as_json:
        print_json({"name": name, "deleted": True})
    else:
        typer.echo(f"business unit {mid} has no key {name!r} any more")
