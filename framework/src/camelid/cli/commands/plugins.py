"""`camelid plugins [--json]`. Needs no server: the plugins are loaded here."""

import click

from camelid.configuration import load_settings

__all__ = ("command",)


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, for programs.")
def command(*, as_json: bool) -> None:
    """List the plugins, also the broken ones.

    Each row says what the plugin provides, or why it is not loaded.
    """
    from camelid.cli.installed import load_installed
    from camelid.plugins.report import records_as_json, records_as_text

    records = load_installed(load_settings()).records
    click.echo(records_as_json(records) if as_json else records_as_text(records), nl=False)
