"""The slash commands of a chat (contract 19.5)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import click

from camelid.cli.chat.help import HELP_TOPICS
from camelid.cli.chat.session import ChatSession
from camelid.cli.chat.setting import change_setting
from camelid.cli.commands.list import models_table
from camelid.cli.show_page import show_page
from camelid.errors import NotFoundError

__all__ = ("SLASH_COMMANDS", "handle_slash")


def handle_slash(session: ChatSession, line: str) -> bool:
    """Do what a line that begins with a slash says; return whether the chat goes on.

    Raises:
        CamelidError: the server's error.
    """
    word, _, rest = line.strip().partition(" ")
    if word in ("/bye", "/exit"):
        return False
    handler = SLASH_COMMANDS.get(word)
    if handler is None:
        click.echo(f"Unknown command '{word}'. Type /? for help")
    else:
        handler(session, rest.strip())
    return True


def _list(session: ChatSession, _: str) -> None:
    click.echo(models_table(session.client.models(), datetime.now(UTC)), nl=False)


def _load(session: ChatSession, model: str) -> None:
    if not model:
        click.echo("Usage:\n  /load <modelname>")
        return
    click.echo(f"Loading model '{model}'")
    try:
        session.load(model)
    except NotFoundError:
        click.echo(f"Couldn't find model '{model}'")


def _save(session: ChatSession, name: str) -> None:
    if not name:
        click.echo("Usage:\n  /save <modelname>")
        return
    session.save(name)
    click.echo(f"Created new model '{name}'")


def _clear(session: ChatSession, _: str) -> None:
    session.clear()
    click.echo("Cleared session context")


def _set(session: ChatSession, text: str) -> None:
    click.echo(change_setting(session, text), nl=False)


def _show(session: ChatSession, topic: str) -> None:
    shown = session.shown
    if topic == "info":
        click.echo(show_page(shown), nl=False)
    elif topic == "parameters":
        click.echo(_parameters(session))
    elif topic == "system":
        click.echo(session.system or shown.system or "No system message was specified for this model.")
    elif topic == "license":
        click.echo(shown.license or "No license was specified for this model.")
    elif topic == "modelfile":
        click.echo(shown.modelfile)
    elif topic == "template":
        click.echo(shown.template or "No prompt template was specified for this model.")
    else:
        click.echo(HELP_TOPICS["show"], nl=False)


def _parameters(session: ChatSession) -> str:
    model = session.shown.parameters or "  No additional parameters were specified for this model."
    text = f"Model defined parameters:\n{model}\n"
    if session.options:
        own = "".join(f"{name:<30} {value}\n" for name, value in session.options.items())
        text += f"\nUser defined parameters:\n{own}"
    return text


def _help(_: ChatSession, topic: str) -> None:
    click.echo(HELP_TOPICS.get(topic.lstrip("/"), HELP_TOPICS[""]), nl=False, err=True)


SLASH_COMMANDS: Final[dict[str, Callable[[ChatSession, str], None]]] = {
    "/set": _set,
    "/show": _show,
    "/load": _load,
    "/save": _save,
    "/clear": _clear,
    "/list": _list,
    "/help": _help,
    "/?": _help,
}
"""Every command but `/bye` and `/exit`, which end the chat."""
