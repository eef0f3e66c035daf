"""Every hook a plugin may implement.

Hooks choose and construct; the objects they hand over (`camelid.contracts`) do the work. All hooks are plain
functions: a coroutine as result is refused. Each docstring says what for, when, what it takes and returns, and in
which process it runs.

A plugin is a module named in the entry-point group ``camelid``. It says ``CAMELID_API = 1`` and marks its hooks with
``camelid.hookimpl``; importing it must not import a native library, and NumPy is one: a package has another module for
what needs such a library, which its hooks import. The examples are one module each, for shortness. What is called once
at start is called again where the setting `reload_plugins` has an edited plugin loaded anew.

The contracts are imported for type checkers only: reading the specs loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    import click

    from camelid.contracts.answers.format import AnswerFormat
    from camelid.contracts.converter import Converter
    from camelid.contracts.embedder import Embedder
    from camelid.contracts.generation import Generator
    from camelid.contracts.media import MediaTokenizer
    from camelid.contracts.model import LoadedModel
    from camelid.contracts.placement import Placement
    from camelid.contracts.ranker import Ranker
    from camelid.contracts.registry import Registry
    from camelid.contracts.route import Route
    from camelid.contracts.tokenizer import Tokenizer
    from camelid.types.artifact import ModelArtifact
    from camelid.types.conversion import ConverterDescriptor
    from camelid.types.descriptor import BackendDescriptor
    from camelid.types.events import ModelLoaded, ModelUnloaded, RequestFinished
    from camelid.types.loading import LoadOptions
    from camelid.types.selection import ModelToLoad

__all__ = (
    "API_VERSION",
    "PROJECT",
    "camelid_answer_formats",
    "camelid_backends",
    "camelid_choose_backend",
    "camelid_commands",
    "camelid_converter",
    "camelid_converters",
    "camelid_embedder",
    "camelid_generator",
    "camelid_load_model",
    "camelid_media_tokenizer",
    "camelid_model_loaded",
    "camelid_model_unloaded",
    "camelid_placements",
    "camelid_ranker",
    "camelid_registries",
    "camelid_request_finished",
    "camelid_routes",
    "camelid_tokenizer",
    "hookimpl",
    "hookspec",
)

PROJECT: Final = "camelid"
"""Name of the pluggy project and of the entry-point group."""

API_VERSION: Final = 1
"""Version of the hooks and contracts. A plugin says which it was written for; another number is refused."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def camelid_backends(register: Callable[[BackendDescriptor], None]) -> None:
    """Say which backends this plugin has.

    Called once at start, before any model is loaded. Must be cheap: descriptors are plain data.

    Where the backend loads files of a format of its own, the descriptor's `endings` say how such files are called, so
    that a model can be made of one: `FROM ./weights.rwkv` in a Modelfile, or `FROM` a folder that has one of them.

    Args:
        register: takes one descriptor; call it once for each backend.

    Runs in: server, worker, cli
    """


@hookspec(firstresult=True)
def camelid_choose_backend(model: ModelToLoad, candidates: Sequence[BackendDescriptor]) -> str | None:
    """Choose the backend for a model that several can load.

    Called where neither the request nor the setting `backends` nor the model's parameters name one, once for each
    model: the answer is remembered until the server ends. Plugins are asked in the order of their names; the first
    answer counts. Runs in a thread, while a request waits. A plugin that raises, names another backend, or takes longer
    than five seconds is logged and passed over.

    Args:
        model: what is known of it before it is loaded.
        candidates: the backends that read its format, in the order they registered.

    Returns:
        The name of one of them; None to leave it to the next plugin, or to priorities.

    Runs in: server
    """


@hookspec(firstresult=True)
def camelid_load_model(artifact: ModelArtifact, options: LoadOptions) -> LoadedModel | None:
    """Load a model.

    Called once in a worker's life, only on the plugin whose backend was chosen. The native library is imported here.

    Args:
        artifact: the model's files; hostile until proven otherwise.
        options: resolved by the framework.

    Returns:
        The loaded model; None if this plugin has nothing to do with the artifact.

    Raises:
        ModelError: the file is broken, unknown to the runtime, or does not fit into memory.

    Runs in: worker
    """


@hookspec(firstresult=True)
def camelid_tokenizer(model: LoadedModel, artifact: ModelArtifact) -> Tokenizer | None:
    """Give the tokenizer of a loaded model.

    Called once after loading. The backend's own plugin is asked first; where it returns None, those that tokenize for
    others, that is, have no backend, in the order of their names. The option `tokenizer` names one to ask instead.
    A tokenizer for others must have as many tokens as the model.

    Args:
        model: what `camelid_load_model` returned.
        artifact: the model's files; hostile until proven otherwise. There is no `folder` any more.

    Returns:
        The tokenizer; None to leave it to the next plugin.

    Raises:
        ModelError: there are files to make one of, and they are broken or mean something that this plugin cannot do.

    Runs in: worker
    """


@hookspec(firstresult=True)
def camelid_generator(model: LoadedModel, tokenizer: Tokenizer) -> Generator | None:
    """Give the generator of a loaded model, in the highest tier the runtime supports.

    Called at most once, before the first generation.

    Args:
        model: what `camelid_load_model` returned.
        tokenizer: what `camelid_tokenizer` returned.

    Returns:
        A `Decoder`, a `BatchDecoder` or an `Engine`; None if this model cannot generate.

    Runs in: worker
    """


@hookspec(firstresult=True)
def camelid_embedder(model: LoadedModel, tokenizer: Tokenizer) -> Embedder | None:
    """Give the embedder of a loaded model.

    Called at most once, before the first embedding.

    Args:
        model: what `camelid_load_model` returned.
        tokenizer: what `camelid_tokenizer` returned.

    Returns:
        The embedder; None if this model cannot embed.

    Runs in: worker
    """


@hookspec(firstresult=True)
def camelid_ranker(model: LoadedModel, tokenizer: Tokenizer) -> Ranker | None:
    """Give the ranker of a loaded model.

    Called at most once, before the first ranking; only where the model's facts declare `RERANK`.

    Args:
        model: what `camelid_load_model` returned.
        tokenizer: what `camelid_tokenizer` returned.

    Returns:
        The ranker; None if this model cannot rank.

    Runs in: worker
    """


@hookspec(firstresult=True)
def camelid_media_tokenizer(model: LoadedModel, tokenizer: Tokenizer) -> MediaTokenizer | None:
    """Give what turns pictures and sound into something that the generator can compute.

    Called at most once, after the generator was made; only where the model's facts declare `VISION` or `AUDIO`.

    Args:
        model: what `camelid_load_model` returned.
        tokenizer: what `camelid_tokenizer` returned.

    Returns:
        The media tokenizer; its `Media` go to this plugin's own generator. None if this model takes text only.

    Runs in: worker
    """


@hookspec
def camelid_converters(register: Callable[[ConverterDescriptor], None]) -> None:
    """Say what this plugin can convert.

    Called once at start. Must be cheap: descriptors are plain data.

    Args:
        register: takes one descriptor; call it once for each.

    Runs in: server, worker, cli
    """


@hookspec(firstresult=True)
def camelid_converter(name: str) -> Converter | None:
    """Give a converter.

    Called once in the life of a worker that converts, only on the plugin that registered it. Heavy packages are
    imported here.

    Args:
        name: of one of this plugin's descriptors.

    Returns:
        The converter; None if this plugin has none of that name.

    Runs in: worker
    """


@hookspec
def camelid_registries(register: Callable[[Registry], None]) -> None:
    """Say which registries this plugin knows.

    Called once at start. Registries are asked in the order of the setting `registries`, then as they registered.

    Args:
        register: takes one registry; call it once for each.

    Runs in: server, cli
    """


@hookspec
def camelid_answer_formats(register: Callable[[AnswerFormat], None]) -> None:
    """Say in which formats, unknown to Camelid, models write thinking, text and tool calls.

    Called once at start. Formats of plugins are asked before those that are built in: first by the name of the
    parser in a model's config, then by what stands in its chat template.

    Args:
        register: takes one format; call it once for each.

    Runs in: server, cli
    """


@hookspec
def camelid_placements(register: Callable[[Placement], None]) -> None:
    """Say where this plugin can run workers.

    Called once at start; the setting `placement` names the one to use.

    Args:
        register: takes one placement; call it once for each.

    Runs in: server
    """


@hookspec
def camelid_routes(register: Callable[[Route], None]) -> None:
    """Say which HTTP routes this plugin adds.

    Called once at start. Routes are off until the setting `routes` names the plugin: whoever may use the server can
    reach them. What guards the server's own routes (hosts, origins, tenants) guards them, too.

    Args:
        register: takes one route; call it once for each.

    Runs in: server, cli
    """


@hookspec
def camelid_commands(cli: click.Group) -> None:
    """Add commands to `camelid`.

    Called when a command is not one of Camelid's own, and to list plugins; `camelid --help` imports no plugin. The
    names of Camelid's own commands are taken.

    Args:
        cli: an empty group of this plugin alone: decorate with `@cli.command()` or call `cli.add_command`.

    Runs in: cli
    """


@hookspec
def camelid_model_loaded(event: ModelLoaded) -> None:
    """Observe that a model was loaded.

    Observers are called one after the other in a thread of their own, beside all requests, in the order of events. A
    thousand events may wait; while an observer is that slow, further ones are dropped and counted in the log. What it
    raises is logged.

    Args:
        event: the model, its backend, what it takes.

    Runs in: server
    """


@hookspec
def camelid_model_unloaded(event: ModelUnloaded) -> None:
    """Observe that a model left memory, or that its worker died; called as `camelid_model_loaded` is.

    Args:
        event: the model, and why it died if it did.

    Runs in: server
    """


@hookspec
def camelid_request_finished(event: RequestFinished) -> None:
    """Observe that a request ended which wanted a model; called as `camelid_model_loaded` is.

    Args:
        event: what it wanted of which model, how it ended, counts and times; nothing of what was said.

    Runs in: server
    """
