"""The `camelid` command: a group that imports a subcommand only when it is called.

So `camelid --help` costs no more than Python and click.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Final, NamedTuple

import click

__all__ = ("COMMANDS", "Entry", "camelid")


class Entry(NamedTuple):
    """Where a subcommand is, and its line in the help."""

    module: str
    """Below `camelid.cli.commands`; its command is called `command`."""
    summary: str
    hidden: bool = False
    """Left out of the help: a second name, or a command of Ollama's that has no meaning here."""


COMMANDS: Final[Mapping[str, Entry]] = {
    "serve": Entry("serve", "Start the server."),
    "start": Entry("serve", "Start the server.", hidden=True),
    "create": Entry("create", "Make a model from a Modelfile."),
    "show": Entry("show", "Show what is known of a model."),
    "run": Entry("run", "Ask a model, or chat with it."),
    "stop": Entry("stop", "Unload a model."),
    "pull": Entry("pull", "Fetch a model from where it comes from."),
    "push": Entry("push", "Send a model to a registry."),
    "signin": Entry("elsewhere", "Not a command of Camelid's.", hidden=True),
    "login": Entry("elsewhere", "Not a command of Camelid's.", hidden=True),
    "signout": Entry("elsewhere", "Not a command of Camelid's.", hidden=True),
    "logout": Entry("elsewhere", "Not a command of Camelid's.", hidden=True),
    "list": Entry("list", "List the models on this disk."),
    "ls": Entry("list", "List the models on this disk.", hidden=True),
    "ps": Entry("ps", "List the models that are loaded."),
    "cp": Entry("cp", "Give a model a second name."),
    "rm": Entry("rm", "Remove models."),
    "launch": Entry("elsewhere", "Not a command of Camelid's.", hidden=True),
    "plugins": Entry("plugins", "List the plugins, also the broken ones."),
    "check": Entry("check", "Prove what a backend can do, with a model, on this machine."),
    "convert": Entry("convert", "Make a GGUF or ONNX model of safetensors."),
    "bench": Entry("bench", "Measure a model's speed, here and beside other servers."),
    "compare": Entry("compare", "Ask models and backends the same, and see whether they agree."),
    "doctor": Entry("doctor", "Look for what is wrong, and say which settings are in effect."),
    "new": Entry("new", "Write a new package with a backend or a registry, complete and working."),
    "help": Entry("help", "Show the help of a command, as `camelid COMMAND --help` does.", hidden=True),
}


_VERSION_HELP: Final = "Show the version and exit."


def _version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001 - click's signature
    """Print the server's version, and warn where there is none or this command has another."""
    if not value or ctx.resilient_parsing:
        return
    from camelid.cli.version import print_version

    print_version()
    ctx.exit()


class LazyGroup(click.Group):
    """A group whose help is made from `COMMANDS` alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the table."""
        return [name for name, entry in COMMANDS.items() if not entry.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command's module; if it is none of ours, all plugins."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            from camelid.cli.plugin_commands import plugin_command

            return plugin_command(cmd_name)
        command = import_module(f"camelid.cli.commands.{entry.module}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Commands talk to the server at OLLAMA_HOST, or 127.0.0.1:11434. "
        "An error is one line on stderr and exit status 1; Ctrl+C gives 130. "
        "Plugins may add commands: `camelid plugins` lists them."
    ),
)
@click.option("-v", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help=_VERSION_HELP)
@click.pass_context
def camelid(ctx: click.Context) -> None:
    """A self-hosted LLM server that speaks Ollama's API over swappable runtimes."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
