"""`camelid new backend|registry NAME`: the beginning of somebody's own package."""

import shlex
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
    use = f"camelid create {names.name} -f example/Modelfile  # while `camelid serve` runs"
    _write(PackageKind.BACKEND, names, folder, use)


@command.command("registry")
@click.argument("name")
@_FOLDER
def registry(name: str, folder: Path | None) -> None:
    """Write a package with a registry: a place that models come from.

    It pulls models from a folder behind any web server from the first minute. Put your protocol in its place.
    """
    names = PackageNames.parse(name)
    use = f"python -m {names.module} FOLDER  # lists the models of a folder, to be served and pulled"
    _write(PackageKind.REGISTRY, names, folder, use)


def _write(kind: PackageKind, names: PackageNames, folder: Path | None, use: str) -> None:
    """Write the package, and tell how to go on; `use` is how to try it when it is installed."""
    check_free(names)
    target = folder or Path(names.distribution)
    written = write_package(kind, names, target)
    click.echo(f"{names.distribution}: {len(written)} files in {target}\n\nNext:")
    for step in (f"cd {shlex.quote(str(target))}", "pip install -e '.[test]'", "pytest", use):
        click.echo(f"  {step}")
