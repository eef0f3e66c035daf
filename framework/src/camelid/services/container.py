"""Everything a server needs, built from its settings and closed together."""

from types import TracebackType
from typing import Self

from camelid.engine import placements
from camelid.engine.conversion import Conversions
from camelid.engine.pool import Pool
from camelid.plugins.host import PluginHost
from camelid.plugins.proofs import Proofs
from camelid.services.aliases import Aliases
from camelid.services.chat import Chat
from camelid.services.compare import Compare
from camelid.services.create import Create
from camelid.services.embed import Embed
from camelid.services.fetch import Fetch
from camelid.services.generate import Generate
from camelid.services.kept_responses import KeptResponses
from camelid.services.library import Library
from camelid.services.loading import Models
from camelid.services.modelfile_requests import ModelfileRequests
from camelid.services.pull import Pull
from camelid.services.push import Push
from camelid.services.registries import Registries, RegistryRules
from camelid.services.remote_pictures import RemotePictures
from camelid.services.rerank import Rerank
from camelid.services.tokenize import Detokenize, Tokenize
from camelid.settings import Settings
from camelid.store.store import Store
from camelid.store.transfer import Transfers
from camelid.store.transfer_policy import TransferPolicy

__all__ = ("Services",)


class Services:
    """The use cases of one server, and the parts they share.

    Making one loads the plugins and opens the store, both quickly and blocking; no model is loaded before somebody
    asks. Enter it in the event loop that it shall serve; leaving it ends all workers.
    """

    def __init__(self, settings: Settings) -> None:
        """Build.

        Raises:
            ConfigurationError: the settings name a placement or a registry that no plugin has, or what is no alias.
            StoreError: the models folder cannot be used.
        """
        self.settings = settings
        self.plugins = PluginHost.load(
            only=settings.plugins, disabled=settings.disabled_plugins, builtins={"placements": placements}
        )
        self.store = Store(settings.models, prune=not settings.noprune)
        if settings.prefix_disk <= 0:
            self.store.prefixes.forget_all()
        self.pool = Pool(self.plugins.catalog, settings, plugins=self.plugins)
        formats, sees_within = self.plugins.catalog.answer_formats, self.plugins.catalog.sees_within
        template = settings.go_template
        aliases = Aliases(settings.aliases)
        self.models = Models(self.store, prefer_go=template, formats=formats, sees_within=sees_within, aliases=aliases)
        self.chat = Chat(self.models, self.pool, formats)
        self.generate = Generate(self.models, self.pool, formats)
        self.embed = Embed(self.models, self.pool)
        self.rerank = Rerank(self.models, self.pool)
        self.tokenize = Tokenize(self.models, self.pool)
        self.detokenize = Detokenize(self.models, self.pool)
        self.compare = Compare(self.models, self.pool)
        self._image_hosts = () if settings.air_gapped else settings.image_hosts
        self.kept_responses = KeptResponses()
        self.library = Library(
            self.store,
            prefer_go=template,
            formats=formats,
            chooser=self.pool.chooser,
            sees_within=sees_within,
            aliases=aliases,
            proofs=Proofs(settings.proofs_folder),
        )
        registries = Registries(self.plugins.catalog.registries, _rules(settings))
        transfers = Transfers(self.store.blobs, _policy(settings))
        self.pull = Pull(self.store, registries, transfers)
        self.push = Push(self.store, registries, transfers)
        self.conversions = Conversions(self.plugins.catalog.placement(settings.placement))
        self.create = Create(self.store, self.pull, self.plugins.catalog, self.conversions, aliases=aliases)
        self.modelfiles = ModelfileRequests(self.store.blobs, settings.modelfiles, lambda: self.plugins.catalog.endings)
        self.fetch = Fetch(self.store, self.pull, self.create, self.modelfiles, aliases=aliases)

    def remote_pictures(self) -> RemotePictures:
        """Loads the pictures that one request names by their addresses."""
        return RemotePictures(self._image_hosts)

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
        await self.kept_responses.close()
        await self.conversions.close()
        await self.pool.close()


def _rules(settings: Settings) -> RegistryRules:
    return RegistryRules(
        first=settings.registries,
        mirrors=settings.registry_mirrors,
        hosts=settings.registry_hosts,
        air_gapped=settings.air_gapped,
    )


def _policy(settings: Settings) -> TransferPolicy:
    return TransferPolicy(all_streams=settings.transfer_streams, bandwidth=settings.transfer_bandwidth)
