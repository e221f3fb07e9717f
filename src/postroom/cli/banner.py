"""What `postroom serve` says once everything answers: where it is, who may come in, and a first call to copy."""

import json
from typing import Protocol

from postroom import __version__
from postroom.settings import Settings, default_public_url, hide_password


class Credentials(Protocol):
    """A client whose secret may be shown: the ready-made one of a sandbox."""

    @property
    def client_id(self) -> str: ...
    @property
    def client_secret(self) -> str: ...
    @property
    def account_id(self) -> int: ...


def banner(settings: Settings, client: Credentials | None) -> str:
    """The lines to print, plain text, without the closing `postroom: ready`."""
    sandbox = settings.delivery == "sandbox"
    lines = [f"Postroom {__version__}, {_life(settings)}", "", f"  API            {settings.public_url}"]
    if settings.public_url != default_public_url(settings.http):
        lines.append(f"  listens on     {settings.http}")
    if sandbox:
        lines.append(f"  mailbox        {settings.public_url}/sandbox")
        lines.append(f"  SMTP           {settings.sandbox_smtp}")
    if settings.bounce_smtp is not None:
        lines.append(f"  bounces        {settings.bounce_smtp}")
    lines.append(f"  database       {_database(settings)}")
    if client is None:
        lines.append("  clients        postroom client create --name NAME makes one; run it with these settings")
    else:
        body = {
            "grant_type": "client_credentials",
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "account_id": client.account_id,
        }
        lines += [
            "",
            "The ready-made client of this sandbox:",
            "",
            f"  client_id      {client.client_id}",
            f"  client_secret  {client.client_secret}",
            f"  account_id     {client.account_id}",
            "",
            "A token for it:",
            "",
            f"  curl -s {settings.public_url}/v2/token -H 'Content-Type: application/json' \\",
            f"    -d '{json.dumps(body)}'",
        ]
    return "\n".join([*lines, ""])


def _life(settings: Settings) -> str:
    if settings.delivery == "sandbox":
        return "sandbox: no mail leaves this machine"
    if settings.delivery == "mx":
        return "mail goes to the recipients' MX hosts"
    if settings.delivery == "routes":
        return f"mail goes where {settings.routes} says"
    return f"all mail goes to the relay {hide_password(settings.relay or '')}"


def _database(settings: Settings) -> str:
    if settings.database_url is None:
        return f"embedded PostgreSQL in {settings.data_dir}"
    return hide_password(settings.database_url)
