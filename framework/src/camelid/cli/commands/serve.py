"""`camelid serve`."""

import logging
import os
import signal
import sys
import threading
from typing import Final

import click
import msgspec

from camelid.cli.embedded import READY_PREFIX
from camelid.configuration import Configuration, ignored_variables, read_configuration

__all__ = ("command",)

_log = logging.getLogger(__name__)

_STOP_SECONDS: Final = 10.0
"""How long the server may take to end after its stdin did."""


@click.command("serve")
@click.option("--host", metavar="ADDRESS", help="Where to listen: host, host:port, or :port for all interfaces.")
@click.option("--models", metavar="FOLDER", help="The store; Ollama's own folder can be used as it is.")
@click.option("--keep-alive", metavar="DURATION", help="How long an idle model stays loaded, for example 5m.")
@click.option("--context-length", type=int, metavar="TOKENS", help="Context, where neither model nor request says.")
@click.option("--num-parallel", type=int, metavar="N", help="Answers that one model gives at once.")
@click.option("--max-loaded-models", type=int, metavar="N", help="Models that are loaded at once.")
@click.option("--placement", metavar="NAME", help="Where models run: process, in-process, or what a plugin adds.")
@click.option("-p", "--plugins", multiple=True, metavar="NAME", help="Load only these plugins; no:NAME leaves one out.")
@click.option(
    "--reload-plugins", is_flag=True, default=None, help="Load plugins anew when they are edited; for developing them."
)
@click.option("--debug", is_flag=True, default=None, help="Log in detail.")
@click.option("--until-stdin-closes", is_flag=True, hidden=True)
def command(plugins: tuple[str, ...], *, until_stdin_closes: bool, **flags: object) -> None:
    """Start the server.

    It serves until Ctrl+C or SIGTERM, and logs on stderr. Every flag is also a setting: in camelid.toml, and in the
    environment as CAMELID_ or OLLAMA_ and its name in capitals.
    """
    only, without = _wanted_plugins(plugins)
    configuration = read_configuration({**flags, "plugins": only, "disabled_plugins": without})
    settings = configuration.settings
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
    )
    logging.getLogger("camelid").setLevel(logging.DEBUG if settings.debug else logging.INFO)
    # These tell whole addresses, whose queries may be secrets: httpx each, urllib3 those with a broken header.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    if settings.debug:
        os.environ["CAMELID_DEBUG"] = "true"  # for the workers, which know no settings

    from camelid.api.server import run

    def ready(url: str) -> None:
        _log_configuration(configuration)
        _log.info("listening on %s, models in %s", url, settings.models)
        if until_stdin_closes:
            click.echo(f"{READY_PREFIX}{url}")

    if until_stdin_closes:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    run(settings, on_ready=ready)


def _log_configuration(configuration: Configuration) -> None:
    """Say once which values are in effect, and which variables are not (contract 18)."""
    for mistake in configuration.mistakes:
        _log.warning("%s", mistake)
    for variable, reason in ignored_variables().items():
        _log.info("%s is ignored: %s", variable, reason)
    values = msgspec.structs.asdict(configuration.settings).items()
    given = configuration.sources
    _log.info("settings: %s", ", ".join(f"{name}={value}" for name, value in values if name in given))
    _log.info(
        "settings at their defaults: %s", ", ".join(f"{name}={value}" for name, value in values if name not in given)
    )


def _wanted_plugins(names: tuple[str, ...]) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """The names to load and the names not to load; None where the flags say nothing."""
    only = tuple(name for name in names if not name.startswith("no:"))
    without = tuple(name.removeprefix("no:") for name in names if name.startswith("no:"))
    return only or None, without or None


def _end_with_stdin() -> None:
    """Wait until whoever started us closes our stdin, or is gone; then stop as Ctrl+C does, but surely."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    signal.raise_signal(signal.SIGINT)
    threading.Event().wait(_STOP_SECONDS)
    os._exit(1)
