"""`camelid stop MODEL`."""

import click

from camelid.cli.connection import connect
from camelid.errors import ModelNotFoundError, NotFoundError

__all__ = ("command",)


@click.command("stop")
@click.argument("model")
def command(model: str) -> None:
    """Unload a model.

    It stays on the disk, and is loaded again when somebody asks it.
    """
    with connect() as client:
        try:
            client.load(model, keep_alive=0)
        except NotFoundError as error:
            raise ModelNotFoundError(f'couldn\'t find model "{model}" to stop') from error
