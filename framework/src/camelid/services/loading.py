"""From the name a client sent to a model that is known well enough to be prompted and loaded."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from camelid.engine.request import LoadRequest
from camelid.errors import IncompleteModelError, InvalidModelFileError, ModelError, ModelNotFoundError, RemoteModelError
from camelid.plugins.catalog import RegisteredAnswerFormat
from camelid.prompts.choose import choose_template
from camelid.prompts.template import ChatTemplate
from camelid.prompts.tool_calls.choose import choose_format
from camelid.services.aliases import NO_ALIASES, Aliases
from camelid.services.capabilities import capabilities_of
from camelid.services.references import REMOTE_UNAVAILABLE
from camelid.store.formats import GGUF
from camelid.store.onnx_folder import has_onnx, read_onnx_facts
from camelid.store.store import Store
from camelid.store.stored import StoredModel
from camelid.store.tokenizer_config import read_prompting, small_files
from camelid.types.artifact import FileRole
from camelid.types.capabilities import Capability
from camelid.types.options import Options

__all__ = ("NOT_FOUND", "NOT_WHOLE", "Model", "ModelTraits", "Models", "backend_needs", "backend_parameter")

NOT_FOUND: Final = "model '{name}' not found"
"""What most endpoints say of a name they do not know (contract 1.5)."""

NOT_WHOLE: Final = 'model "{name}" not found, try pulling it first'
"""What all of them say of a model whose files are not all here (contract 1.6)."""

_OLD_VISION: Final = (
    "'llama3.2-vision' is no longer compatible with your version of Camelid and has been replaced by a newer version. "
    "To re-download, run 'camelid pull llama3.2-vision'"
)
"""What is said of the first models that see, whose files are of a kind of their own (contract 1.6)."""

_BACKENDS_DO: Final = frozenset(
    {Capability.COMPLETION, Capability.EMBEDDING, Capability.RERANK, Capability.VISION, Capability.AUDIO}
)
"""Of what a model can do, that which its backend must be able to do; the rest is the framework's."""

_REMEMBERED: Final = 64
"""Models whose traits are kept; reading them again takes milliseconds."""


class ModelTraits(msgspec.Struct, frozen=True):
    """What a model's files say about using it. The same for all names of one manifest."""

    template: ChatTemplate
    capabilities: tuple[Capability, ...]
    """In the order of contract 12.3."""
    trained_context: int = 0
    """Tokens; 0 = unknown before loading."""
    cache_bytes_per_token: int = 0
    """Estimated for f16; 0 = unknown."""
    layers: int = 0
    """0 = unknown before loading."""
    raw_embeddings: bool = True
    """Whether the older embedding endpoint gives vectors of whatever length."""


class Model(msgspec.Struct, frozen=True):
    """A model in the store, and how to use it."""

    stored: StoredModel
    traits: ModelTraits

    @property
    def template(self) -> ChatTemplate:
        """The template it is prompted with."""
        return self.traits.template

    @property
    def capabilities(self) -> tuple[Capability, ...]:
        """What it can do."""
        return self.traits.capabilities

    def load_request(self, options: Options) -> LoadRequest:
        """What the pool needs to load it.

        Raises:
            ModelError: no engine loads models of its kind any more.
        """
        if "mllama" in self.stored.config.model_families and self.stored.artifact.with_role(FileRole.PROJECTOR):
            raise ModelError(_OLD_VISION)
        return LoadRequest(
            name=self.stored.name.short,
            digest=self.stored.digest,
            artifact=self.stored.artifact,
            options=options,
            trained_context=self.traits.trained_context,
            cache_bytes_per_token=self.traits.cache_bytes_per_token,
            layers=self.traits.layers,
            completion=Capability.COMPLETION in self.traits.capabilities,
            needs=backend_needs(self.stored, self.traits.capabilities),
            named_by_model=backend_parameter(self.stored),
        )


def backend_needs(stored: StoredModel, capabilities: Iterable[Capability]) -> frozenset[Capability]:
    """What a backend should be able to do, so that all of a model can be used."""
    needs = _BACKENDS_DO & set(capabilities)
    return needs | {Capability.ADAPTERS} if stored.artifact.with_role(FileRole.ADAPTER) else needs


def backend_parameter(stored: StoredModel) -> str | None:
    """The backend that the model's own parameters name."""
    named = stored.params.get("backend")
    return named if isinstance(named, str) else None


class Models:
    """Finds models by name."""

    def __init__(
        self,
        store: Store,
        *,
        prefer_go: bool | None = None,
        formats: Sequence[RegisteredAnswerFormat] = (),
        sees_within: Collection[str] = (),
        aliases: Aliases = NO_ALIASES,
    ) -> None:
        """Bind.

        Args:
            store: whose models.
            prefer_go: which template is used where a model has both languages; None to compare them.
            formats: the answer formats of plugins.
            sees_within: architectures that can see though their projector lies in the language model's own file.
            aliases: what clients may call models, too.
        """
        self._store = store
        self._aliases = aliases
        self._prefer_go = prefer_go
        self._formats = formats
        self._sees_within = sees_within
        self._traits: OrderedDict[str, ModelTraits] = OrderedDict()

    async def find(self, asked: str, *, not_found: str = NOT_FOUND) -> Model:
        """The model that a client calls `asked`.

        Args:
            asked: as the client sent it, not empty.
            not_found: what to say if there is none; `{name}` stands for `asked`.

        Raises:
            RequestError: `asked` is no name.
            RemoteModelError: the model runs elsewhere.
            ModelNotFoundError: the store does not have it, or not all of its files.
            ModelError: its files are damaged.
        """
        name = self._aliases.parse(asked)
        try:
            stored = await asyncio.to_thread(self._store.find, name)
        except IncompleteModelError as error:
            raise ModelNotFoundError(NOT_WHOLE.format(name=asked), reason=error.reason) from error
        if stored is None:
            raise ModelNotFoundError(not_found.format(name=asked))
        if stored.config.remote_host:
            raise RemoteModelError(REMOTE_UNAVAILABLE)
        if not stored.artifact.with_role(FileRole.MODEL):
            raise InvalidModelFileError(f"model {name.short} has no weights: pull or create it again")
        return Model(stored, await self.traits(stored))

    async def traits(self, stored: StoredModel) -> ModelTraits:
        """What the files of a stored model say; remembered.

        Raises:
            ModelError: they are damaged.
        """
        traits = self._traits.get(stored.digest)
        if traits is None:
            traits = await asyncio.to_thread(self._read_traits, stored)
            if choose_format(traits.template.source, stored.config.parser, self._formats) is None:
                # Found by rendering, which may take long, and remembered: answers are read on the event loop.
                await asyncio.to_thread(getattr, traits.template, "tool_call_tag")
            self._traits[stored.digest] = traits
        self._traits.move_to_end(stored.digest)
        while len(self._traits) > _REMEMBERED:
            self._traits.popitem(last=False)
        return traits

    def _capabilities(self, stored: StoredModel, template: ChatTemplate) -> tuple[Capability, ...]:
        says = template.capabilities
        return capabilities_of(stored, template.language, says, self._formats, self._sees_within)

    def _read_traits(self, stored: StoredModel) -> ModelTraits:
        if stored.artifact.format != GGUF:
            files = small_files(stored.artifact)
            prompting = read_prompting(files)
            template = choose_template(
                stored.template,
                prompting.chat_template,
                bos_token=prompting.begin_token,
                eos_token=prompting.end_token,
                prefer_go=self._prefer_go,
                renderer=stored.config.renderer,
            )
            return ModelTraits(
                template=template,
                capabilities=self._capabilities(stored, template),
                trained_context=stored.config.context_length,
                cache_bytes_per_token=read_onnx_facts(files).cache_bytes_per_token if has_onnx(files) else 0,
            )
        header, summary = self._store.header(stored.artifact.model), stored.header
        if summary is None:
            raise InvalidModelFileError(f"the file of {stored.name.short} was damaged meanwhile: try again")
        template = choose_template(
            stored.template,
            header.chat_template,
            bos_token=summary.begin_token,
            eos_token=summary.end_token,
            prefer_go=self._prefer_go,
            renderer=stored.config.renderer,
        )
        return ModelTraits(
            template=template,
            capabilities=self._capabilities(stored, template),
            trained_context=summary.context_length,
            cache_bytes_per_token=summary.cache_bytes_per_token,
            layers=summary.layers,
            raw_embeddings=summary.raw_embeddings,
        )
