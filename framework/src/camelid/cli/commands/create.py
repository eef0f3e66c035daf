"""`camelid create MODEL` (contract 11, 19.1)."""

import os.path
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from camelid.cli.connection import connect
from camelid.cli.go_flags import GoCommand
from camelid.cli.making import make_model
from camelid.cli.model_sources import collect
from camelid.configuration import load_settings
from camelid.errors import RequestError
from camelid.store.modelfile import Modelfile, decode, parse

__all__ = ("command",)


@click.command("create", cls=GoCommand)
@click.argument("model")
@click.option("-f", "--file", "file", metavar="PATH", help="The Modelfile; - reads it from stdin. [default: Modelfile]")
@click.option(
    "-q",
    "--quantize",
    default="",
    metavar="TYPE",
    help="Type the weights shall have, for example q4_K_M.",
)
@click.option("--draft-quantize", default="", metavar="TYPE", help="Type the weights of the draft model shall have.")
@click.option("--experimental", is_flag=True, hidden=True)
def command(model: str, *, file: str | None, quantize: str, draft_quantize: str, experimental: bool) -> None:
    """Make a model from a Modelfile.

    Without a Modelfile, the files in this folder are the model.
    """
    from camelid.cli.progress import ProgressDisplay

    if experimental:
        click.echo("--experimental changes nothing: Camelid has one way to make models", err=True)
    modelfile, folder = _read(file)
    for warning in modelfile.warnings:
        click.echo(warning, err=True)
    with connect() as client, ProgressDisplay() as display:
        display.status("gathering model components")
        sources = collect(
            model, modelfile, folder, quantize=quantize, draft_quantize=draft_quantize, endings=_installed_endings
        )
        make_model(client, sources, display)


def _installed_endings() -> Iterable[str]:
    """How names of files end that are models of installed backends; imports all plugins."""
    from camelid.cli.installed import load_installed

    return load_installed(load_settings()).catalog.endings


def _read(file: str | None) -> tuple[Modelfile, Path]:
    """The Modelfile, and the folder its paths are relative to."""
    if file == "-":
        return parse(decode(sys.stdin.buffer.read())), Path.cwd()
    path = Path(os.path.expanduser(file or "Modelfile")).absolute()  # noqa: PTH111 - pathlib's fails for unknown users
    try:
        return parse(decode(path.read_bytes())), path.parent
    except FileNotFoundError as error:
        if file is None:
            return Modelfile(from_=(".",)), Path.cwd()
        raise RequestError("specified Modelfile wasn't found", reason=str(path)) from error
    except OSError as error:
        raise RequestError(f"cannot read the Modelfile {path}: {error.strerror}", reason=str(error)) from error
