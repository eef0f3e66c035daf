"""`camelid rm MODEL...`."""

import click

from camelid.cli.connection import connect
from camelid.errors import CamelidError, NotFoundError

__all__ = ("command",)


@click.command("rm")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
def command(models: tuple[str, ...]) -> None:
    """Remove models.

    A loaded model is unloaded first. Files that no other model uses are deleted.
    """
    from camelid.cli.client import ServerUnreachableError

    with connect() as client:
        for model in models:
            try:
                client.load(model, keep_alive=0)
            except ServerUnreachableError:
                raise
            except NotFoundError:
                pass  # deleting it says the same, with the words for deleting
            except CamelidError as error:
                click.echo(f"Warning: unable to stop model '{model}': {error.message}", err=True)
            client.delete(model)
            click.echo(f"deleted '{model}'")
