"""`camelid plugins [--json]`. Needs no server: the plugins are loaded here."""

import logging

import click

from camelid.configuration import load_settings

__all__ = ("command",)


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, for programs.")
def command(*, as_json: bool) -> None:
    """List the plugins, also the broken ones.

    Each row says what the plugin provides, or why it is not loaded.
    """
    from camelid.engine import placements
    from camelid.plugins.host import PluginHost
    from camelid.plugins.report import plugin_rows, rows_as_json, rows_as_text

    settings = load_settings()
    # The rows carry the reasons; the log would only repeat them on stderr.
    logging.getLogger("camelid.plugins").setLevel(logging.ERROR)
    host = PluginHost.load(
        only=settings.plugins, disabled=settings.disabled_plugins, builtins={"placements": placements}
    )
    rows = plugin_rows(host)
    click.echo(rows_as_json(rows) if as_json else rows_as_text(rows), nl=False)
