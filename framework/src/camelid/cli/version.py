"""`camelid --version` (contract 19.1)."""

import click

from camelid import __version__
from camelid.cli.connection import connect
from camelid.errors import CamelidError

__all__ = ("print_version",)


def print_version() -> None:
    """Print the version of the server, or of this command if no Camelid answers; warn on stderr of what differs."""
    try:
        with connect() as client:
            url, server = client.url, client.health()
    except CamelidError:
        click.echo(f"camelid version is {__version__}")
        click.echo("Warning: could not connect to a running Camelid server", err=True)
        return
    click.echo(f"camelid version is {server.version if server else __version__}")
    if server is None:
        click.echo(f"Warning: the server at {url} is not Camelid", err=True)
    elif server.version != __version__:
        click.echo(f"Warning: client version is {__version__}", err=True)
