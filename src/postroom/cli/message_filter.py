"""Which messages a verb is about, as options: the filter of the search."""

import re
from typing import Annotated

import typer

from postroom.api.errors import ApiError
from postroom.api.wire.search import read_wanted
from postroom.events.search import STATUSES, Wanted

Recipient = Annotated[str | None, typer.Option("--recipient", help="The address it went to.")]
ContactKey = Annotated[str | None, typer.Option("--contact-key", help="The contact it went to.")]
DefinitionKey = Annotated[str | None, typer.Option("--definition-key", help="The definition.")]
Status = Annotated[str | None, typer.Option("--status", help=f"One of {', '.join(STATUSES)}.")]
Since = Annotated[str | None, typer.Option("--from", help="Accepted at this time (UTC) or later.")]
Before = Annotated[str | None, typer.Option("--to", help="Accepted before this time.")]


def wanted_messages(
    recipient: str | None,
    contact_key: str | None,
    definition_key: str | None,
    status: str | None,
    since: str | None,
    before: str | None,
) -> Wanted:
    """What the options say. Raises typer.BadParameter."""
    given = {
        "recipient": recipient,
        "contactkey": contact_key,
        "definitionkey": definition_key,
        "status": status,
        "from": since,
        "to": before,
    }
    try:
        return read_wanted({name: value for name, value in given.items() if value is not None})
    except ApiError as wrong:
        # It begins with the field's name in a query.
        raise typer.BadParameter("--" + re.sub("^(contact|definition)key", r"\1-key", wrong.text)) from None
