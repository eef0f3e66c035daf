"""`camelid room`: how much room there is for models."""

import os
import shutil
from pathlib import Path

import click

from camelid import hookimpl
from camelid.errors import StoreError

CAMELID_API = 1


@hookimpl
def camelid_commands(cli: click.Group) -> None:
    """Any command of click's, groups too. `camelid room --help` shows its docstring."""

    @cli.command()
    @click.option("--unit", type=click.Choice(["MB", "GB"]), default="GB")
    def room(unit: str) -> None:
        """Show how much room there is for models."""
        folder = Path(os.environ.get("OLLAMA_MODELS", "~/.ollama/models")).expanduser()
        try:
            free = shutil.disk_usage(folder).free
        except OSError as error:
            raise StoreError(f"there is no folder {folder} yet; pull a model first") from error
        click.echo(f"{free / {'MB': 1e6, 'GB': 1e9}[unit]:.1f} {unit}")
