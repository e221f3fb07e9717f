"""`postroom bounces`: the server that takes them, and the rules of today over what was refused before."""

import typer

bounces_app = typer.Typer(help="Bounces and complaints: take them, and judge refusals anew.", no_args_is_help=True)


@bounces_app.callback()
def bounces() -> None:
    """Bounces and complaints: take them, and judge refusals anew."""
