"""`/show` (contract 19.5)."""

from collections.abc import Callable, Iterable
from typing import Final, Literal

from camelid.cli.chat.entries import Entry
from camelid.cli.chat.session import ChatSession
from camelid.cli.show_page import show_page
from camelid.store.parameters import show_parameters

__all__ = ("SHOWN",)


def _info(session: ChatSession, _: str) -> str:
    return show_page(session.shown)


def _parameters(session: ChatSession, _: str) -> str:
    lines = session.shown.parameters.splitlines() or ["No additional parameters were specified for this model."]
    text = f"Model defined parameters:\n{_indented(lines)}\n"
    if session.options:
        text += f"User defined parameters:\n{_indented(show_parameters(session.options).splitlines())}\n"
    return text


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"  {line}\n" for line in lines)


def _modelfile(session: ChatSession, _: str) -> str:
    """What a model would be that `/save` made now, without the conversation."""
    shown = session.client.show(session.model, system=session.system, options=session.options)
    return f"{shown.modelfile}\n"


def _system(session: ChatSession, _: str) -> str:
    return f"{session.system or session.shown.system or 'No system message was specified for this model.'}\n"


def _part(name: Literal["license", "template"], if_empty: str) -> Callable[[ChatSession, str], str]:
    return lambda session, _: f"{getattr(session.shown, name) or if_empty}\n"


SHOWN: Final = (
    Entry(("info",), "Show details for this model", _info),
    Entry(("license",), "Show model license", _part("license", "No license was specified for this model.")),
    Entry(("modelfile",), "Show Modelfile for this model", _modelfile),
    Entry(("parameters",), "Show parameters for this model", _parameters),
    Entry(("system",), "Show system message", _system),
    Entry(
        ("template",),
        "Show prompt template",
        _part("template", "No prompt template was specified for this model."),
    ),
)
