"""`camelid pull MODEL`."""

import click

from camelid.cli.connection import connect
from camelid.cli.go_flags import GoCommand
from camelid.types.file_addresses import FILE, WEB
from camelid.types.names import ModelName

__all__ = ("command",)


@click.command("pull", cls=GoCommand)
@click.argument("model")
@click.option("--insecure", is_flag=True, help="Allow registries that speak plain http.")
def command(model: str, *, insecure: bool) -> None:
    """Fetch a model from where it comes from.

    Names of files are addresses, too: https://HOST/FOLDER/FILE.gguf, and file:///FOLDER/FILE on the server.

    Which registries are asked depends on the plugins: `camelid plugins` lists them.
    """
    from camelid.cli.progress import show_progress

    with connect() as client:
        show_progress(client.pull(model, insecure=insecure))
    name = ModelName.parse(model)
    if name.protocol in (FILE, WEB):
        click.echo(f"\nThe model is listed as:\n\n\t{name.short}\n\n'camelid cp' gives it a shorter name.\n")
