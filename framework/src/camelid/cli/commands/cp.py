"""`camelid cp SOURCE DESTINATION`."""

import click

from camelid.cli.connection import connect

__all__ = ("command",)


@click.command("cp")
@click.argument("source")
@click.argument("destination")
def command(source: str, destination: str) -> None:
    """Give a model a second name.

    The files are shared: both names can be removed independently of each other.
    """
    with connect() as client:
        client.copy(source, destination)
    click.echo(f"copied '{source}' to '{destination}'")
