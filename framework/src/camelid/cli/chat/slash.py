"""The slash commands of a chat (contract 19.5)."""

from datetime import UTC, datetime
from typing import Final

import click

from camelid.cli.chat.entries import Entry, find, help_lines
from camelid.cli.chat.session import ChatSession
from camelid.cli.chat.setting import SETTINGS
from camelid.cli.chat.showing import SHOWN
from camelid.cli.commands.list import models_table
from camelid.errors import NotFoundError

__all__ = ("SLASH_COMMANDS", "completions", "handle_slash", "help_text")

_QUOTES: Final = 'Use """ to begin and end a message of several lines.\n'
_IMAGES: Final = "Use /path/to/file to include .jpg, .png or .webp images.\n"

_SHORTCUTS: Final = """\
Available keyboard shortcuts:
  Ctrl + a            Move to the beginning of the line (Home)
  Ctrl + e            Move to the end of the line (End)
   Alt + b            Move back (left) one word
   Alt + f            Move forward (right) one word
  Ctrl + k            Delete the text after the cursor
  Ctrl + u            Delete the text before the cursor
  Ctrl + w            Delete the word before the cursor
  Ctrl + l            Clear the screen
  Ctrl + g            Open the message in an external editor
  Ctrl + r            Search in the history
  Ctrl + c            Stop the model from responding
  Ctrl + d            Exit (/bye)

"""


def handle_slash(session: ChatSession, line: str) -> bool:
    """Do what a line that begins with a slash says; return whether the chat goes on.

    Raises:
        CamelidError: the server's error.
    """
    word, _, rest = line.strip().partition(" ")
    entry = find(SLASH_COMMANDS, word)
    if entry is None:
        click.echo(f"Unknown command '{word}'. Type /? for help")
        return True
    if entry.act is None:
        return False
    click.echo(entry.act(session, rest.strip()), nl=False)
    return True


def completions() -> tuple[str, ...]:
    """Every slash command in full, as the Tab key completes it."""
    return tuple(line for entry in SLASH_COMMANDS for line in entry.completions)


def help_text(topic: str, *, images: bool = False) -> str:
    """The help of a chat, or of one of its subjects: `set`, `show`, `shortcuts`; anything else is the whole.

    Args:
        topic: what followed `/?`.
        images: say how a model that can see is shown something.
    """
    word = topic.removeprefix("/")
    if word in ("shortcut", "shortcuts"):
        return _SHORTCUTS
    entry = find(SLASH_COMMANDS, f"/{word}")
    if entry is not None and entry.entries:
        return help_lines(entry.entries, entry.words[0])
    return f"{help_lines(SLASH_COMMANDS)}{_QUOTES}{_IMAGES if images else ''}\n"


def _set(session: ChatSession, text: str) -> str:
    name, _, value = text.partition(" ")
    entry = find(SETTINGS, name)
    if entry is not None and entry.act is not None:
        return entry.act(session, value.strip())
    return f"Unknown command '/set {name}'. Type /? for help\n" if name else help_text("set")


def _show(session: ChatSession, topic: str) -> str:
    entry = find(SHOWN, topic)
    if entry is not None and entry.act is not None:
        return entry.act(session, "")
    return f"Unknown command '/show {topic}'. Type /? for help\n" if topic else help_text("show")


def _list(session: ChatSession, _: str) -> str:
    return models_table(session.client.models(), datetime.now(UTC))


def _load(session: ChatSession, model: str) -> str:
    if not model:
        return "Usage:\n  /load <modelname>\n"
    click.echo(f"Loading model '{model}'")
    try:
        session.load(model)
    except NotFoundError:
        return f"Couldn't find model '{model}'\n"
    return ""


def _save(session: ChatSession, name: str) -> str:
    if not name:
        return "Usage:\n  /save <modelname>\n"
    session.save(name)
    return f"Created new model '{name}'\n"


def _clear(session: ChatSession, _: str) -> str:
    session.clear()
    return "Cleared session context\n"


def _help(session: ChatSession, topic: str) -> str:
    click.echo(help_text(topic, images=session.shown.can("vision")), nl=False, err=True)
    return ""


SLASH_COMMANDS: Final = (
    Entry(("/set",), "Set session variables", _set, entries=SETTINGS),
    Entry(("/show",), "Show model information", _show, entries=SHOWN),
    Entry(("/load",), "Load a session or model", _load, "<model>"),
    Entry(("/save",), "Save your current session", _save, "<model>"),
    Entry(("/clear",), "Clear session context", _clear),
    Entry(("/list",), "List the models on this disk", _list),
    Entry(("/bye", "/exit"), "Exit", None),
    Entry(("/?", "/help"), "Help for a command, or for shortcuts", _help, "[set|show|shortcuts]"),
)
