"""`camelid plugins [--json]`. Needs no server: the plugins are loaded here."""

import click

from camelid.configuration import load_settings

__all__ = ("command",)


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, for programs.")
def command(*, as_json: bool) -> None:
    """List the plugins, also the broken ones.

    Each row says what the plugin provides, or why it is not loaded; of a backend also how many of the capabilities that
    it declares `camelid check` has proven on this machine.
    """
    from camelid.cli.installed import load_installed
    from camelid.plugins.proofs import Proofs
    from camelid.plugins.report import records_as_json, records_as_text

    settings = load_settings()
    proofs = Proofs(settings.proofs_folder)
    records = [record.with_standings(proofs) for record in load_installed(settings).records]
    click.echo(records_as_json(records) if as_json else records_as_text(records), nl=False)
