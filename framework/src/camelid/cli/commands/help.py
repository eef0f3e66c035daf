"""`camelid help [COMMAND]`."""

import click

__all__ = ("command",)


@click.command("help")
@click.argument("name", metavar="[COMMAND]", default="")
@click.pass_context
def command(ctx: click.Context, name: str) -> None:
    """Show the help of a command, as `camelid COMMAND --help` does."""
    top = ctx.find_root()
    group = top.command
    if not name or not isinstance(group, click.Group):
        click.echo(top.get_help())
        return
    found = group.get_command(top, name)
    if found is None:
        raise click.UsageError(f"No such command {name!r}.", top)
    click.echo(found.get_help(click.Context(found, top, name)))
