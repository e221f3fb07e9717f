"""The program `postroom`: its verbs, by name, and where each is."""

import io
import sys
from typing import Annotated

import typer

from postroom import __version__
from postroom.cli.failures import report_failures
from postroom.cli.verbs import verbs

app = typer.Typer(
    name="postroom",
    cls=verbs(
        serve="postroom.cli.roles:serve_command",
        api="postroom.cli.roles:api_command",
        deliver="postroom.cli.roles:deliver_command",
        events="postroom.cli.roles:events_command",
        mailbox="postroom.cli.roles:mailbox_command",
        demo="postroom.cli.demo:demo",
        doctor="postroom.cli.doctor:doctor",
        apply="postroom.cli.apply:apply",
        render="postroom.cli.render:render",
        lint="postroom.cli.lint:lint",
        erase="postroom.cli.erase:erase",
        retention="postroom.cli.retention:retention",
        tls_report="postroom.cli.tls_report:tls_report_command",
        ampscript="postroom.cli.ampscript:app",
        account="postroom.cli.account:account_app",
        bounces="postroom.cli.bounces:bounces_app",
        client="postroom.cli.client:client_app",
        domain="postroom.cli.domain:domain_app",
        key="postroom.cli.key:key_app",
        message="postroom.cli.message:message_app",
        queue="postroom.cli.queue:queue_command",
        links="postroom.cli.links:links_app",
        suppression="postroom.cli.suppression:suppression_app",
    ),
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    report_failures(app)


if __name__ == "__main__":
    run()
