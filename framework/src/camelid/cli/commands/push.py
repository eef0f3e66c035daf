"""`camelid push MODEL`."""

import click

from camelid.cli.connection import connect
from camelid.cli.go_flags import GoCommand
from camelid.errors import RequestError
from camelid.types.names import DEFAULT_HOST, ModelName

__all__ = ("command",)


_SITE = "https://ollama.com"


@click.command("push", cls=GoCommand)
@click.argument("model")
@click.option("--insecure", is_flag=True, help="Allow registries that speak plain http.")
def command(model: str, *, insecure: bool) -> None:
    """Send a model to a registry."""
    from camelid.cli.client import NoSuchRouteError
    from camelid.cli.progress import show_progress

    with connect() as client:
        try:
            show_progress(client.push(model, insecure=insecure))
        except NoSuchRouteError as error:
            raise RequestError(
                f"the server at {client.url} cannot push models; its models folder has Ollama's layout, "
                "so that Ollama can push from it",
                reason=error.reason,
            ) from error
    name = ModelName.parse(model)
    if name.host == DEFAULT_HOST:
        click.echo(f"\nYou can find your model at:\n\n\t{_SITE}/{name.namespace}/{name.model}\n")
