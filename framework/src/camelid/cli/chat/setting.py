"""`/set` (contract 19.5)."""

import shlex
from collections.abc import Callable
from typing import Final

import click
import msgspec

from camelid.cli.chat.entries import Entry
from camelid.cli.chat.quoting import unquoted
from camelid.cli.chat.session import ChatSession
from camelid.cli.request_options import LEVELS, parse_format
from camelid.errors import CamelidError
from camelid.store.parameters import PARAMETERS, parse_parameter
from camelid.types.json import JsonObject

__all__ = ("SETTINGS",)

_PARAMETERS: Final = "".join(f"  /set parameter {name} <{kind}>\n" for name, kind in PARAMETERS.items())


def _parameter(session: ChatSession, text: str) -> str:
    name, _, value = text.partition(" ")
    if not name or not value.strip():
        return f"Usage:\n  /set parameter <name> <value>\n\nAvailable Parameters:\n{_PARAMETERS}\n"
    try:
        words = shlex.split(value) if name == "stop" else [value.strip()]
    except ValueError:  # an open quote: the user means it as it stands
        words = [value.strip()]
    parameter: JsonObject = {}
    try:
        for word in words:
            parse_parameter(parameter, name, word)
    except CamelidError as error:
        return f'Couldn\'t set parameter: "{error.message}"\n'
    session.options |= parameter
    return f"Set parameter '{name}' to '{', '.join(words)}'\n"


def _system(session: ChatSession, text: str) -> str:
    if not text:
        return "Usage:\n  /set system <message>\n"
    session.system = unquoted(text)
    return "Set system message.\n"


def _think(session: ChatSession, level: str) -> str:
    if level and level not in LEVELS:
        return f"The level '{level}' must be one of {', '.join(LEVELS)}.\n"
    session.think = level or True
    _warn(session)
    return f"Set 'think' mode to '{level}'.\n" if level else "Set 'think' mode.\n"


def _nothink(session: ChatSession, _: str) -> str:
    session.think = False
    _warn(session)
    return "Set 'nothink' mode.\n"


def _warn(session: ChatSession) -> None:
    if not session.shown.can("thinking"):
        click.echo(f'warning: model "{session.model}" does not support thinking output', err=True)


def _format(session: ChatSession, text: str) -> str:
    if not text:
        return "Usage:\n  /set format json\n"
    try:
        session.format = parse_format(text)
    except CamelidError:
        return "Invalid or missing format. For 'json' mode use '/set format json'\n"
    return f"Set format to '{'json' if text == 'json' else 'JSON schema'}' mode.\n"


def _noformat(session: ChatSession, _: str) -> str:
    session.format = None
    return "Disabled format.\n"


def _shown_as(name: str, **changes: bool) -> Callable[[ChatSession, str], str]:
    def change(session: ChatSession, _: str) -> str:
        session.display = msgspec.structs.replace(session.display, **changes)
        return f"Set '{name}' mode.\n"

    return change


def _keeps_history(keeps: bool) -> Callable[[ChatSession, str], str]:
    def change(session: ChatSession, _: str) -> str:
        session.keeps_history = keeps
        return ""

    return change


SETTINGS: Final = (
    Entry(("parameter",), "Set a parameter", _parameter, "..."),
    Entry(("system",), "Set system message", _system, "<string>"),
    Entry(("history",), "Enable history", _keeps_history(True)),
    Entry(("nohistory",), "Disable history", _keeps_history(False)),
    Entry(("wordwrap",), "Enable wordwrap", _shown_as("wordwrap", wordwrap=True)),
    Entry(("nowordwrap",), "Disable wordwrap", _shown_as("nowordwrap", wordwrap=False)),
    Entry(("format",), "Enable JSON mode", _format, "json"),
    Entry(("noformat",), "Disable formatting", _noformat),
    Entry(("verbose",), "Show timings", _shown_as("verbose", verbose=True)),
    Entry(("quiet",), "Do not show timings", _shown_as("quiet", verbose=False)),
    Entry(("think",), "Enable thinking", _think, "[level]"),
    Entry(("nothink",), "Disable thinking", _nothink),
)
"""What may follow `/set`."""
