"""The journal's hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from camelid import hookimpl

if TYPE_CHECKING:
    import click

    from camelid import Route
    from camelid.types.descriptor import BackendDescriptor
    from camelid.types.events import ModelLoaded, ModelUnloaded, RequestFinished
    from camelid.types.selection import ModelToLoad

__all__ = ("CAMELID_API",)

CAMELID_API = 1


@hookimpl
def camelid_request_finished(event: RequestFinished) -> None:
    """Write it down."""
    from camelid_journal.journal import Journal

    Journal().add_request(event)


@hookimpl
def camelid_model_loaded(event: ModelLoaded) -> None:
    """Write it down."""
    from camelid_journal.journal import Journal

    Journal().add_change(event.at, event.model, event.backend, "loaded")


@hookimpl
def camelid_model_unloaded(event: ModelUnloaded) -> None:
    """Write it down, and of what it died if it did."""
    from camelid_journal.journal import Journal

    Journal().add_change(event.at, event.model, event.backend, event.death or "unloaded")


@hookimpl
def camelid_choose_backend(model: ModelToLoad, candidates: Sequence[BackendDescriptor]) -> str | None:
    """The backend that was fastest with this model, if two at least were measured."""
    from camelid_journal.journal import Journal

    return Journal().fastest(model.name, [candidate.name for candidate in candidates])


@hookimpl
def camelid_routes(register: Callable[[Route], None]) -> None:
    """`GET /journal`."""
    from camelid import Route
    from camelid_journal.showing import usage_page

    register(Route("/journal", usage_page))


@hookimpl
def camelid_commands(cli: click.Group) -> None:
    """`camelid journal`."""
    from camelid_journal.command import journal

    cli.add_command(journal)
