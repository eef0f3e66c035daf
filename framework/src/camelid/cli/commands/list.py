"""`camelid list [PREFIX]` (contract 19.2)."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from camelid.cli.connection import connect
from camelid.cli.messages import ListedModel
from camelid.cli.sizes import human_bytes, short_digest
from camelid.cli.tables import columns
from camelid.cli.times import relative_time

__all__ = ("command", "models_table")


@click.command("list")
@click.argument("prefix", default="")
def command(prefix: str) -> None:
    """List the models on this disk.

    PREFIX shows only the names that begin with it.
    """
    with connect() as client:
        models = client.models()
    wanted = [model for model in models if model.name.lower().startswith(prefix.lower())]
    click.echo(models_table(wanted, datetime.now(UTC)), nl=False)


def models_table(models: Sequence[ListedModel], now: datetime) -> str:
    """The table, in the order of the models."""
    rows = [
        (
            model.name,
            short_digest(model.digest),
            "-" if model.remote_model else human_bytes(model.size),
            relative_time(model.modified_at, now),
        )
        for model in models
    ]
    return columns([("NAME", "ID", "SIZE", "MODIFIED"), *rows])
