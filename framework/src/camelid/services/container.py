"""Everything a server needs, built from its settings and closed together."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from camelid.contracts.registry import Registry
from camelid.engine import placements
from camelid.engine.conversion import Conversions
from camelid.engine.pool import Pool
from camelid.errors import ConfigurationError
from camelid.plugins.host import PluginHost
from camelid.services.chat import Chat
from camelid.services.create import Create
from camelid.services.embed import Embed
from camelid.services.generate import Generate
from camelid.services.library import Library
from camelid.services.loading import Models
from camelid.services.modelfile_requests import ModelfileRequests
from camelid.services.pull import Pull
from camelid.services.remote_pictures import RemotePictures
from camelid.services.tokenize import Detokenize, Tokenize
from camelid.settings import Settings
from camelid.store.store import Store

__all__ = ("Services",)


class Services:
    """The use cases of one server, and the parts they share.

    Making one loads the plugins and opens the store, both quickly and blocking; no model is loaded before somebody
    asks. Enter it in the event loop that it shall serve; leaving it ends all workers.
    """

    def __init__(self, settings: Settings) -> None:
        """Build.

        Raises:
            ConfigurationError: the settings name a placement or a registry that no plugin has.
            StoreError: the models folder cannot be used.
        """
        self.settings = settings
        self.plugins = PluginHost.load(
            only=settings.plugins, disabled=settings.disabled_plugins, builtins={"placements": placements}
        )
        self.store = Store(settings.models, prune=not settings.noprune)
        self.pool = Pool(self.plugins.catalog, settings)
        formats = self.plugins.catalog.answer_formats
        self.models = Models(self.store, prefer_go=settings.go_template, formats=formats)
        self.chat = Chat(self.models, self.pool, formats)
        self.generate = Generate(self.models, self.pool, formats)
        self.embed = Embed(self.models, self.pool)
        self.tokenize = Tokenize(self.models, self.pool)
        self.detokenize = Detokenize(self.models, self.pool)
        self.remote_pictures = RemotePictures(settings.image_hosts)
        self.library = Library(self.store, prefer_go=settings.go_template, formats=formats)
        self.pull = Pull(self.store, _in_order(self.plugins.catalog.registries, settings.registries))
        self.conversions = Conversions(self.plugins.catalog.placement(settings.placement))
        self.create = Create(self.store, self.pull, self.plugins.catalog, self.conversions)
        self.modelfiles = ModelfileRequests(self.store.blobs, settings.modelfiles)

    async def __aenter__(self) -> Self:
        """Nothing to start: workers are started by requests."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all workers."""
        await self.conversions.close()
        await self.pool.close()


def _in_order(registries: Sequence[Registry], first: Sequence[str]) -> list[Registry]:
    """The registries that are named come first, in that order; the others stay as they registered."""
    known = {registry.name: registry for registry in registries}
    for name in first:
        if name not in known:
            choice = ", ".join(sorted(known)) or "none"
            raise ConfigurationError(f"there is no registry {name!r}; the setting registries may name: {choice}")
    return list({name: known[name] for name in (*first, *known)}.values())
