"""Ollama's commands that have no meaning here: each says why in a sentence (contract 19.1)."""

from typing import Final

import click

from camelid.configuration import load_settings
from camelid.errors import RequestError
from camelid.types.addresses import parse_address

__all__ = ("command",)

_ACCOUNTS: Final = "there are no accounts: Camelid forwards nothing to ollama.com, and pulls without signing in"
_SENTENCES: Final = {
    "signin": _ACCOUNTS,
    "login": _ACCOUNTS,
    "signout": _ACCOUNTS,
    "logout": _ACCOUNTS,
    "launch": "Camelid does not configure other programs: give them {url} as the address of an Ollama server",
}


@click.command("elsewhere", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - whatever they are
    """Not a command of Camelid's."""
    raise RequestError(_SENTENCES[ctx.info_name or ""].format(url=parse_address(load_settings().host).url))
