"""The commands that plugins add."""

import click

from camelid.cli.installed import load_installed
from camelid.configuration import load_settings
from camelid.errors import CamelidError
from camelid.plugins.plugin import Plugin

__all__ = ("plugin_command",)


def plugin_command(name: str) -> click.Command | None:
    """The command that a plugin calls `name`; None if none does.

    Raises:
        UsageError: none does, but there are broken plugins: it may be one of theirs.
        ConfigurationError: the settings that say which plugins are loaded cannot be read.
    """
    host = load_installed(load_settings())
    found = host.commands.get(name)
    if found is not None:
        return _guarded(*found)
    broken = ", ".join(record.name for record in host.records if record.status == "broken")
    if broken:
        raise click.UsageError(f"No such command {name!r}. Broken plugins: {broken}; `camelid plugins` says why.")
    return None


def _guarded(command: click.Command, plugin: Plugin) -> click.Command:
    """The command, whose failures become one line that names the plugin."""
    invoke = command.invoke

    def invoke_guarded(ctx: click.Context) -> object:
        try:
            return invoke(ctx)
        except (CamelidError, click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            failure = plugin.failure(f"the command {ctx.info_name}", error)
            raise CamelidError(f"{failure.message}: {error}", plugin=plugin.package) from error

    command.invoke = invoke_guarded  # type: ignore[method-assign]
    return command
