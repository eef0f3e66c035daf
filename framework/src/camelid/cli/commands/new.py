"""`camelid new backend|registry NAME`: the beginning of somebody's own package."""

from pathlib import Path

import click

from camelid.scaffold.names import PackageNames, check_free
from camelid.scaffold.package import PackageKind, write_package

__all__ = ("command",)

_FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path), help="Where to; empty, or not there yet.  [default: ./camelid-NAME]"
)


@click.group("new")
def command() -> None:
    """Write a new package with a backend or a registry, complete and working."""


@command.command("backend")
@click.argument("name")
@_FOLDER
def backend(name: str, folder: Path | None) -> None:
    """Write a package with a backend: code that runs models.

    It runs a small language model from the first minute. Put your runtime in its place; the tests say what it owes.
    """
    names = PackageNames.parse(name)
    folder = _write(PackageKind.BACKEND, names, folder)
    _say(
        folder,
        "pip install -e '.[test]'",
        "pytest",
        f"camelid create {names.name} -f example/Modelfile  # of a running server: camelid serve",
    )


@command.command("registry")
@click.argument("name")
@_FOLDER
def registry(name: str, folder: Path | None) -> None:
    """Write a package with a registry: a place that models come from.

    It pulls models from a folder behind any web server from the first minute. Put your protocol in its place.
    """
    names = PackageNames.parse(name)
    folder = _write(PackageKind.REGISTRY, names, folder)
    _say(
        folder,
        "pip install -e '.[test]'",
        "pytest",
        f"python -m {names.module} FOLDER  # makes an index of the models in a folder, to be served and pulled",
    )


def _write(kind: PackageKind, names: PackageNames, folder: Path | None) -> Path:
    check_free(names)
    target = folder or Path(names.distribution)
    written = write_package(kind, names, target)
    click.echo(f"{names.distribution}: {len(written)} files in {target}")
    return target


def _say(folder: Path, *steps: str) -> None:
    click.echo("\nNext:")
    for step in (f"cd {folder}", *steps):
        click.echo(f"  {step}")
