"""`camelid ps [PREFIX]` (contract 19.3)."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from camelid.cli.connection import connect
from camelid.cli.messages import RunningModel
from camelid.cli.sizes import human_bytes, short_digest
from camelid.cli.tables import columns
from camelid.cli.times import until

__all__ = ("backends_table", "command", "processor", "running_table")


@click.command("ps")
@click.argument("prefix", default="")
@click.option("--backends", is_flag=True, help="Show which backend holds each model, and why that one.")
def command(prefix: str, *, backends: bool) -> None:
    """List the models that are loaded.

    PREFIX shows only the names that begin with it.
    """
    with connect() as client:
        models = client.running()
    wanted = [model for model in models if model.name.startswith(prefix)]
    click.echo(backends_table(wanted) if backends else running_table(wanted, datetime.now(UTC)), nl=False)


def running_table(models: Sequence[RunningModel], now: datetime) -> str:
    """The table, in the order of the models."""
    rows = [
        (
            model.name,
            short_digest(model.digest),
            human_bytes(model.size),
            processor(model.size, model.size_vram),
            str(model.context_length),
            until(model.expires_at, now),
        )
        for model in models
    ]
    return columns([("NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"), *rows])


def backends_table(models: Sequence[RunningModel]) -> str:
    """Which backend holds each model, in the order of the models."""
    rows = [(model.name, model.backend, model.runtime, model.backend_reason) for model in models]
    return columns([("NAME", "BACKEND", "RUNTIME", "BECAUSE"), *rows])


def processor(size: int, size_vram: int) -> str:
    """Where a model's memory is: `100% GPU`, `48%/52% CPU/GPU`.

    Args:
        size: bytes in all.
        size_vram: bytes of these on accelerators.
    """
    if size_vram == 0:
        return "100% CPU"
    if size_vram == size:
        return "100% GPU"
    if size_vram > size:
        return "Unknown"
    on_cpu = round((size - size_vram) / size * 100)
    return f"{on_cpu}%/{100 - on_cpu}% CPU/GPU"
