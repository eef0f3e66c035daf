"""`camelid show MODEL` (contract 19.4)."""

import click

from camelid.cli.connection import connect
from camelid.cli.go_flags import GoCommand
from camelid.cli.show_page import show_page
from camelid.errors import RequestError

__all__ = ("command",)


@click.command("show", cls=GoCommand)
@click.argument("model")
@click.option("--license", "parts", flag_value="license", multiple=True, help="Show only the license.")
@click.option("--modelfile", "parts", flag_value="modelfile", multiple=True, help="Show only the Modelfile.")
@click.option("--parameters", "parts", flag_value="parameters", multiple=True, help="Show only the parameters.")
@click.option("--system", "parts", flag_value="system", multiple=True, help="Show only the system message.")
@click.option("--template", "parts", flag_value="template", multiple=True, help="Show only the prompt template.")
@click.option("-v", "--verbose", is_flag=True, help="Show also the metadata and the tensors of the model's file.")
def command(model: str, parts: tuple[str, ...], *, verbose: bool) -> None:
    """Show what is known of a model."""
    if len(parts) > 1:
        raise RequestError(
            "only one of '--license', '--modelfile', '--parameters', '--system', or '--template' can be specified"
        )
    with connect() as client:
        shown = client.show(model, verbose=verbose)
    if not parts:
        click.echo(show_page(shown, verbose=verbose), nl=False)
        return
    texts = {  # a system message and a template as they are, so that they can be written to files
        "license": shown.license,
        "modelfile": shown.modelfile,
        "parameters": shown.parameters,
        "system": shown.system,
        "template": shown.template,
    }
    click.echo(texts[parts[0]], nl=parts[0] not in ("system", "template"))
