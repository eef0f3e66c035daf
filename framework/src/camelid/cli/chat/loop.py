"""The interactive chat (contract 19.5)."""

from __future__ import annotations

import os
from pathlib import Path

import click

from camelid.cli.attachments import attach, begins_with_file
from camelid.cli.chat.line import PROMPT, MessageReader
from camelid.cli.chat.quoting import unquoted
from camelid.cli.chat.session import ChatSession
from camelid.cli.chat.slash import handle_slash
from camelid.cli.progress import ProgressDisplay
from camelid.configuration import load_settings
from camelid.errors import CamelidError

__all__ = ("chat", "converse")

_HISTORY = Path("~/.ollama/history")


def chat(session: ChatSession) -> None:
    """Load the session's model and chat with it until the user leaves.

    Raises:
        CamelidError: the model cannot be loaded. Later errors are printed, and the chat goes on.
    """
    with ProgressDisplay(transient=True) as loading:
        loading.status("")
        session.load()
    for message in session.shown.messages:
        if message.role == "user":
            click.echo(f"{PROMPT}{message.content}")
        elif message.role == "assistant":
            click.echo(f"{message.content}\n")
    settings = load_settings()
    if settings.editor:
        os.environ["VISUAL"] = settings.editor  # where prompt_toolkit looks first
    converse(session, MessageReader(None if settings.nohistory else _HISTORY.expanduser()))


def converse(session: ChatSession, reader: MessageReader) -> None:
    """Read messages and answer them until Ctrl+D or `/bye`."""
    while True:
        reader.keep_history(session.keeps_history)
        try:
            text = reader.read()
        except KeyboardInterrupt:
            click.echo("\nUse Ctrl + d or /bye to exit.")
            continue
        except EOFError:
            click.echo()
            return
        try:
            if not _handle(session, text):
                return
        except CamelidError as error:
            click.echo(f"Error: {error.message}", err=True)
        except KeyboardInterrupt:
            click.echo()


def _handle(session: ChatSession, text: str) -> bool:
    """Answer one message or do what a slash command says; return whether the chat goes on."""
    if text.startswith("/") and not begins_with_file(text, session.shown):
        return handle_slash(session, text)
    message = unquoted(text)
    if message.strip():
        session.send(*attach(message, session.shown))
    return True
