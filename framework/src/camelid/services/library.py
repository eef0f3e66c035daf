"""The models that are here: list, show, copy, delete (contract 7.1, 7.3 to 7.5)."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Final, TypeAlias

import msgspec

from camelid.engine.choosing import BackendChooser, ModelNeeds
from camelid.errors import ModelError, ModelNotFoundError, RequestError, UnsupportedCapabilityError
from camelid.plugins.catalog import RegisteredAnswerFormat
from camelid.plugins.proofs import Proofs, Standing
from camelid.prompts.choose import choose_template, go_capabilities
from camelid.services.aliases import NO_ALIASES, Aliases
from camelid.services.capabilities import capabilities_of
from camelid.services.details import ModelDetails, details_of, info_of, metadata_of
from camelid.services.loading import backend_needs, backend_parameter
from camelid.services.references import stored_spelling
from camelid.store import modelfile
from camelid.store.gguf import GGUFHeader, TensorInfo
from camelid.store.modelfile import Modelfile
from camelid.store.parameters import go_quoted, show_parameters
from camelid.store.store import Store
from camelid.store.stored import StoredModel
from camelid.store.tokenizer_config import read_prompting, small_files
from camelid.types.artifact import FileRole
from camelid.types.capabilities import Capability
from camelid.types.json import JsonObject
from camelid.types.messages import Message
from camelid.types.names import ModelName

__all__ = ("Library", "ListedModel", "ModelReport", "ShowRequest")

_log = logging.getLogger(__name__)

_Key: TypeAlias = tuple[str, bool]

_REMEMBERED: Final = 4096
"""Models of which is known what they can do."""
_REMOTE: Final = "ollama cloud is disabled: remote model details are unavailable"


class ListedModel(msgspec.Struct, frozen=True, eq=False):
    """A row of the list: the same object as long as nothing of it changes."""

    model: StoredModel
    details: ModelDetails
    capabilities: tuple[Capability, ...]
    """Without what a Jinja template would add: a list does not compile templates of model files."""


class ShowRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants to see of a model."""

    model: str
    """As sent."""
    system: str = ""
    """Shown instead of the model's own."""
    verbose: bool = False
    """Show arrays too; may be tens of megabytes."""
    options: JsonObject = {}
    """Merged into the parameters of the Modelfile."""


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a model; empty means nothing is."""

    model: StoredModel
    details: ModelDetails
    capabilities: tuple[Capability, ...]
    license: str
    modelfile: str
    parameters: str
    template: str
    """Jinja if that is the one in use, else Go."""
    system: str
    messages: tuple[Message, ...]
    model_info: JsonObject
    projector_info: JsonObject
    tensors: tuple[TensorInfo, ...]
    backend: str = ""
    """Name of the backend that would serve it."""
    backend_reason: str = ""
    """Why, or why none would."""
    standing: Standing | None = None
    """What the conformance kit found of that backend on this machine: with this model, if it was run with it."""


class _Used(msgspec.Struct, frozen=True):
    """Of a model's templates the one in use, and what it makes of the model."""

    language: str
    capabilities: tuple[Capability, ...]


class Library:
    """The use cases around stored models. Disk work is done in threads."""

    def __init__(
        self,
        store: Store,
        *,
        prefer_go: bool | None = None,
        formats: Sequence[RegisteredAnswerFormat] = (),
        chooser: BackendChooser | None = None,
        sees_within: Collection[str] = (),
        aliases: Aliases = NO_ALIASES,
        proofs: Proofs | None = None,
    ) -> None:
        """Bind.

        Args:
            store: whose models.
            prefer_go: which template is used where a model has both languages; None to compare them.
            formats: the answer formats of plugins.
            chooser: says which backend would serve a model.
            sees_within: architectures that can see though their projector lies in the language model's own file.
            aliases: what clients may call models, too; what is copied or deleted is called by its own name.
            proofs: what the conformance kit found of backends.
        """
        self._store = store
        self._aliases = aliases
        self._prefer_go = prefer_go
        self._formats = formats
        self._sees_within = sees_within
        self._chooser = chooser
        self._proofs = proofs
        self._rows: dict[ModelName, ListedModel] = {}
        self._used: OrderedDict[_Key, _Used] = OrderedDict()

    async def rows(self) -> tuple[ListedModel, ...]:
        """Every model that can be read, the newest first, with what `/api/tags` says of it."""
        return await asyncio.to_thread(self._list)

    async def show(self, request: ShowRequest) -> ModelReport:
        """Everything about one model.

        Raises:
            RequestError: no name, or an invalid one.
            RemoteModelError: the name is that of a model in the cloud.
            ModelNotFoundError: there is no such model.
            CorruptManifestError: it is damaged.
        """
        if not request.model:
            raise RequestError("model is required")
        return await asyncio.to_thread(self._show, request)

    async def copy(self, source: str, destination: str) -> None:
        """Give a model a second name, replacing what had it.

        Names are taken as they are: with `:local` as a source, a copy to `x:local` would replace `x:latest`.

        Raises:
            RequestError: a name is invalid.
            ModelNotFoundError: there is no such source.
        """
        names = []
        for role, text in (("source", source), ("destination", destination)):
            try:
                names.append(ModelName.parse(text))
            except RequestError as error:
                raise RequestError(f"{role} {go_quoted(text)} is invalid", reason=error.reason) from error
        if not await asyncio.to_thread(self._store.copy, *names):
            raise ModelNotFoundError(f'model "{source}" not found')

    async def delete(self, asked: str) -> None:
        """Remove a model, and its blobs that no other uses. A worker that runs it goes on.

        Raises:
            RequestError: no name, or an invalid one.
            ModelNotFoundError: there is no such model.
        """
        if not asked:
            raise RequestError("model is required")
        text = stored_spelling(asked)
        try:
            name = ModelName.parse(text)
        except RequestError as error:
            raise RequestError(f"name {go_quoted(asked)} is invalid", reason=error.reason) from error
        if not await asyncio.to_thread(self._store.delete, name):
            meant = self._aliases.resolve(name)
            advice = "" if meant == name else f"; the setting aliases lets it stand for '{meant.short}'"
            raise ModelNotFoundError(f"model '{asked}' not found{advice}")

    def _list(self) -> tuple[ListedModel, ...]:
        newest_first = sorted(self._store.list(), key=lambda model: int(model.modified_at), reverse=True)
        known = self._rows
        self._rows = rows = {model.name: self._row(model, known.get(model.name)) for model in newest_first}
        return tuple(rows.values())

    def _row(self, model: StoredModel, known: ListedModel | None) -> ListedModel:
        if known is not None and known.model is model:
            return known
        if known is not None and _key(known.model) == _key(model):
            return msgspec.structs.replace(known, model=model)
        return _row(model, self._formats, self._sees_within)

    def _show(self, request: ShowRequest) -> ModelReport:
        name = self._aliases.parse(request.model, unavailable=_REMOTE)
        model = self._store.find(name)
        if model is None:
            raise ModelNotFoundError(f"model '{self._store.spelling(name).short}' not found")
        header, projector = (self._header(model, role) for role in (FileRole.MODEL, FileRole.PROJECTOR))
        jinja = _folder_template(model) if header is None else header.chat_template
        used = self._use(model, jinja)
        system = request.system or model.system
        backend, reason, standing = self._backend(model, used.capabilities)
        return ModelReport(
            model=model,
            details=details_of(model),
            capabilities=used.capabilities,
            license="\n".join(model.licenses),
            modelfile=_modelfile(model, system, {**model.params, **request.options}),
            parameters=show_parameters(model.params),
            template=jinja if jinja and used.language == "jinja" else model.template or "",
            system=system,
            messages=model.messages,
            model_info=info_of(model, header, verbose=request.verbose),
            projector_info={} if projector is None else metadata_of(projector, verbose=request.verbose),
            tensors=() if header is None else header.tensors,
            backend=backend,
            backend_reason=reason,
            standing=standing,
        )

    def _backend(self, model: StoredModel, capabilities: Sequence[Capability]) -> tuple[str, str, Standing | None]:
        """Name of the backend that would serve a model, why, and what is proven of it; an empty name, and why there is
        none.
        """
        if self._chooser is None or model.config.remote_host:
            return "", "", None
        needs = ModelNeeds(
            name=model.name.short,
            format=model.artifact.format,
            capabilities=backend_needs(model, capabilities),
            named_by_model=backend_parameter(model),
        )
        try:
            choice = self._chooser.choose(needs)
        except UnsupportedCapabilityError as error:
            return "", error.message, None
        backend = choice.backend
        if self._proofs is None:
            return backend.name, choice.reason, None
        declared = backend.descriptor.capabilities
        standing = self._proofs.standing(backend.name, backend.distribution, declared, files=model.artifact.key)
        return backend.name, choice.reason, standing

    def _header(self, model: StoredModel, role: FileRole) -> GGUFHeader | None:
        """All that the first file of a role says of itself; None if there is none, or a broken one."""
        known = {FileRole.MODEL: model.header, FileRole.PROJECTOR: model.projector}
        return None if known[role] is None else self._store.header(model.artifact.with_role(role)[0])

    def _use(self, model: StoredModel, jinja: str) -> "_Used":
        """Which template is used, and what the model can do with it; remembered, for compiling takes long.

        A broken template is shown like any other; only running the model needs it whole.
        """
        used = self._used.get(_key(model))
        if used is None:
            try:
                template = choose_template(
                    model.template, jinja, prefer_go=self._prefer_go, renderer=model.config.renderer
                )
            except ModelError as error:
                _log.warning("the template of %s: %s", model.name.short, error)
                template = choose_template(None, "")
            able = capabilities_of(model, template.language, template.capabilities, self._formats, self._sees_within)
            used = _Used(template.language, able)
        self._used[_key(model)] = used
        self._used.move_to_end(_key(model))
        while len(self._used) > _REMEMBERED:
            self._used.popitem(last=False)
        return used


def _key(model: StoredModel) -> _Key:
    """What a model's row and page depend on, beside its name: a file that was broken may have been replaced."""
    return model.digest, model.header is not None


def _row(model: StoredModel, formats: Sequence[RegisteredAnswerFormat], sees_within: Collection[str]) -> ListedModel:
    """A broken template is listed as one that can nothing but complete."""
    try:
        template_says = go_capabilities(model.template or "")
    except ModelError as error:
        _log.warning("the template of %s: %s", model.name.short, error)
        template_says = frozenset()
    return ListedModel(model, details_of(model), capabilities_of(model, "go", template_says, formats, sees_within))


def _folder_template(model: StoredModel) -> str:
    """The Jinja template among the files of a model of several; empty if there is none that can be read."""
    try:
        return read_prompting(small_files(model.artifact)).chat_template
    except ModelError as error:
        _log.warning("the template of %s: %s", model.name.short, error)
        return ""


def _modelfile(model: StoredModel, system: str, parameters: JsonObject) -> str:
    """The text that would make this model again (contract 7.3.1)."""
    name, config = model.name.short, model.config
    paths = {role: tuple(file.path for file in model.artifact.with_role(role)) for role in FileRole}
    if any(file.name for file in model.artifact.files):
        paths[FileRole.MODEL] = ()  # files that belong together under their names are no lines of a Modelfile
    written = Modelfile(
        from_=(*paths[FileRole.MODEL], *paths[FileRole.PROJECTOR]) or (name,),
        adapters=paths[FileRole.ADAPTER],
        draft="".join(paths[FileRole.DRAFT][:1]),
        template=model.template,
        system=system or None,
        parameters=parameters,
        licenses=model.licenses,
        messages=model.messages,
        renderer=config.renderer,
        parser=config.parser,
        requires=config.requires,
    )
    comments = (
        'Modelfile generated by "ollama show"',
        "To build a new Modelfile based on this, replace FROM with:",
        f"FROM {name}",
    )
    return modelfile.write(written, comments if paths[FileRole.MODEL] else comments[:1])
