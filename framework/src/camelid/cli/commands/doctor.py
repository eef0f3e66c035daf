"""`camelid doctor [--json]`."""

import click

__all__ = ("command",)


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, for programs.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Look for what is wrong, and say which settings are in effect.

    Nothing is changed, and no server is needed. The exit status is 1 if there is a problem.
    """
    from camelid.cli.doctor.report import examine, report_as_json, report_as_text

    report = examine()
    click.echo(report_as_json(report) if as_json else report_as_text(report), nl=False)
    ctx.exit(0 if report.healthy else 1)
