"""`/set` (contract 19.5)."""

import shlex
from collections.abc import Callable
from typing import Final

import msgspec

from camelid.cli.chat.help import HELP_TOPICS
from camelid.cli.chat.quoting import unquoted
from camelid.cli.chat.session import ChatSession
from camelid.cli.request_options import LEVELS, parse_format
from camelid.errors import CamelidError
from camelid.store.parameters import parse_parameter
from camelid.types.json import JsonObject

__all__ = ("change_setting",)


def change_setting(session: ChatSession, text: str) -> str:
    """Change what `text`, the line without `/set`, names; return what to print, with its line end."""
    name, _, value = text.partition(" ")
    handler = _SETTINGS.get(name)
    if handler is not None:
        return handler(session, value.strip())
    return f"Unknown command '/set {name}'. Type /? for help\n" if name else HELP_TOPICS["set"]


def _parameter(session: ChatSession, text: str) -> str:
    name, _, value = text.partition(" ")
    if not name or not value.strip():
        return "Usage:\n  /set parameter <name> <value>\n"
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
    return f"Set 'think' mode to '{level}'.\n" if level else "Set 'think' mode.\n"


def _nothink(session: ChatSession, _: str) -> str:
    session.think = False
    return "Set 'nothink' mode.\n"


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


_SETTINGS: Final[dict[str, Callable[[ChatSession, str], str]]] = {
    "parameter": _parameter,
    "system": _system,
    "think": _think,
    "nothink": _nothink,
    "format": _format,
    "noformat": _noformat,
    "history": _keeps_history(True),
    "nohistory": _keeps_history(False),
    "wordwrap": _shown_as("wordwrap", wordwrap=True),
    "nowordwrap": _shown_as("nowordwrap", wordwrap=False),
    "verbose": _shown_as("verbose", verbose=True),
    "quiet": _shown_as("quiet", verbose=False),
}
