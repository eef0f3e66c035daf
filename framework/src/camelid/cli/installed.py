"""The installed plugins, for commands that tell of them."""

import logging

from camelid.cli.group import COMMANDS
from camelid.engine import placements
from camelid.plugins.host import PluginHost
from camelid.settings import Settings

__all__ = ("load_installed",)


def load_installed(settings: Settings) -> PluginHost:
    """Load them as the server would. What is broken stands in the host's records, so it is kept out of the log."""
    log = logging.getLogger("camelid.plugins")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        return PluginHost.load(
            only=settings.plugins,
            disabled=settings.disabled_plugins,
            builtins={"placements": placements},
            process="cli",
            reserved_commands=COMMANDS,
        )
    finally:
        log.setLevel(level)
