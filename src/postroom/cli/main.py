"""The program `postroom`: its verbs, by name, and where each is."""

import io
import logging
import os
import sys
from typing import Annotated

import typer

from postroom import __version__
from postroom.cli.failures import report_failures
from postroom.cli.verbs import Verb, verbs

_RUN = "Run"
_SET_UP = "Set up"
_LOOK = "Look and decide"
_TRY = "Try templates"

VERBS = {
    "serve": Verb("postroom.cli.roles:serve_command", "Everything on this machine.", _RUN),
    "api": Verb("postroom.cli.roles:api_command", "One API process.", _RUN),
    "deliver": Verb("postroom.cli.roles:deliver_command", "One delivery process.", _RUN),
    "events": Verb("postroom.cli.roles:events_command", "One process that sends webhooks.", _RUN),
    "mailbox": Verb("postroom.cli.roles:mailbox_command", "The sandbox's capture mailbox alone.", _RUN),
    "bounces": Verb("postroom.cli.bounces:bounces_app", "Take bounces by SMTP; judge refusals anew.", _RUN),
    "sandbox": Verb("postroom.cli.sandbox:sandbox_command", "A sandbox for one command, such as tests.", _RUN),
    "demo": Verb("postroom.cli.demo:demo", "2,000 different emails through a private server.", _RUN),
    "apply": Verb("postroom.cli.apply:apply", "Bring a business unit to the shape of a file.", _SET_UP),
    "account": Verb("postroom.cli.account:account_app", "Business units.", _SET_UP),
    "client": Verb("postroom.cli.client:client_app", "API clients and their credentials.", _SET_UP),
    "domain": Verb("postroom.cli.domain:domain_app", "Sender domains: signing keys and DNS records.", _SET_UP),
    "doctor": Verb("postroom.cli.doctor:doctor", "What receivers object to in mail from a domain.", _SET_UP),
    "key": Verb("postroom.cli.key:key_app", "Secrets that templates use by name.", _SET_UP),
    "links": Verb("postroom.cli.links:links_app", "The key that links in mails are signed with.", _SET_UP),
    "message": Verb("postroom.cli.message:message_app", "What happened to messages; held ones; jobs.", _LOOK),
    "queue": Verb("postroom.cli.queue:queue_command", "What waits, and which destinations are behind.", _LOOK),
    "suppression": Verb("postroom.cli.suppression:suppression_app", "Addresses that get no mail.", _LOOK),
    "erase": Verb("postroom.cli.erase:erase", "Erase a person's data.", _LOOK),
    "retention": Verb("postroom.cli.retention:retention", "Forget what is past its time.", _LOOK),
    "tls-report": Verb("postroom.cli.tls_report:tls_report_command", "TLS with recipients' domains.", _LOOK),
    "render": Verb("postroom.cli.render:render", "Print what a template gives.", _TRY),
    "lint": Verb("postroom.cli.lint:lint", "Every mistake in templates.", _TRY),
    "ampscript": Verb("postroom.cli.ampscript:app", "Run golden cases of templates.", _TRY),
}

app = typer.Typer(
    name="postroom",
    cls=verbs(VERBS),
    help="The Marketing Cloud Transactional Messaging API as a program you can run.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"postroom {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The Marketing Cloud Transactional Messaging API as a program you can run."""


def run() -> None:
    """The entry point. What a terminal can't show is shown as something else, never a reason to fail."""
    # Closed by whoever started it, a number below three would be given to a connection, which then is printed on.
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        sys.stdout, sys.stderr = sys.stdout or os.fdopen(number, "w"), sys.stderr or os.fdopen(number, "w")
    os.close(number)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # What libraries log, with tracebacks, is for servers, which say where it goes: see configure_logs.
    logging.getLogger().addHandler(logging.NullHandler())
    report_failures(app)


if __name__ == "__main__":
    run()
