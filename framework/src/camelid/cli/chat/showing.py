"""`/show` (contract 19.5)."""

from collections.abc import Callable
from typing import Final, Literal

from camelid.cli.chat.entries import Entry
from camelid.cli.chat.session import ChatSession
from camelid.cli.show_page import show_page

__all__ = ("SHOWN",)


def _info(session: ChatSession, _: str) -> str:
    return show_page(session.shown)


def _parameters(session: ChatSession, _: str) -> str:
    model = session.shown.parameters or "  No additional parameters were specified for this model."
    text = f"Model defined parameters:\n{model}\n\n"
    if session.options:
        own = "".join(f"{name:<30} {value}\n" for name, value in session.options.items())
        text += f"User defined parameters:\n{own}\n"
    return text


def _system(session: ChatSession, _: str) -> str:
    return f"{session.system or session.shown.system or 'No system message was specified for this model.'}\n"


def _part(name: Literal["license", "modelfile", "template"], if_empty: str = "") -> Callable[[ChatSession, str], str]:
    return lambda session, _: f"{getattr(session.shown, name) or if_empty}\n"


SHOWN: Final = (
    Entry(("info",), "Show details for this model", _info),
    Entry(("license",), "Show model license", _part("license", "No license was specified for this model.")),
    Entry(("modelfile",), "Show Modelfile for this model", _part("modelfile")),
    Entry(("parameters",), "Show parameters for this model", _parameters),
    Entry(("system",), "Show system message", _system),
    Entry(
        ("template",),
        "Show prompt template",
        _part("template", "No prompt template was specified for this model."),
    ),
)
