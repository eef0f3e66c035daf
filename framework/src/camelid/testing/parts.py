"""A backend's own objects, as its hooks hand them over: nothing of the framework stands between."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from camelid.contracts.embedder import Embedder
from camelid.contracts.generation import Generator
from camelid.contracts.model import LoadedModel
from camelid.contracts.placement import WorkerSpec
from camelid.contracts.ranker import Ranker
from camelid.contracts.tokenizer import Tokenizer
from camelid.plugins.host import PluginHost
from camelid.types.facts import ModelFacts

__all__ = ("Parts", "opened")


class Parts(msgspec.Struct, frozen=True):
    """What the worker hooks returned for one model."""

    spec: WorkerSpec
    """What was loaded."""
    plugins: PluginHost
    model: LoadedModel
    tokenizer: Tokenizer
    generator: Generator | None
    embedder: Embedder | None
    ranker: Ranker | None

    @property
    def facts(self) -> ModelFacts:
        """What the backend says of the model."""
        return self.model.facts


@contextmanager
def opened(spec: WorkerSpec) -> Iterator[Parts]:
    """Load a model in this process; everything is closed at the end, in the order a worker closes it.

    Raises:
        CamelidError: a hook failed, or handed over something that its contract does not allow.
    """
    plugins = PluginHost.load(only={spec.plugin, *spec.tokenizers}, process="worker")
    with ExitStack() as stack:
        model = plugins.load_model(spec.plugin, spec.artifact, spec.options)
        stack.callback(model.close)
        tokenizer = plugins.tokenizer(spec.plugin, model, spec.artifact, others=spec.tokenizers)
        generator = plugins.generator(spec.plugin, model, tokenizer)
        embedder = plugins.embedder(spec.plugin, model, tokenizer)
        ranker = plugins.ranker(spec.plugin, model, tokenizer)
        closes: list[Callable[[], None]] = [part.close for part in (ranker, embedder, generator) if part is not None]
        for close in closes:
            stack.callback(close)
        yield Parts(spec, plugins, model, tokenizer, generator, embedder, ranker)
