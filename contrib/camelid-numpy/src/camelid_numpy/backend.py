"""A model in memory, and the first of Camelid's tiers: the framework samples, stops, streams and cancels."""

from collections.abc import Sequence

import numpy as np

from camelid import Decoder, LoadedModel
from camelid.contracts.generation import Logits
from camelid.errors import InvalidModelFileError, ModelMemoryError
from camelid.types.artifact import ModelArtifact
from camelid.types.capabilities import Capability
from camelid.types.facts import ModelFacts
from camelid.types.loading import LoadOptions
from camelid.types.memory import MemoryUse
from camelid_numpy.weights import GGUFFile

__all__ = ("NumpyDecoder", "NumpyModel")


class NumpyModel(LoadedModel):
    """A transformer and its KV cache."""

    def __init__(self, artifact: ModelArtifact, options: LoadOptions) -> None:
        """Read the file.

        Raises:
            InvalidModelFileError: it is damaged, or holds something else than a plain Llama.
            ModelMemoryError: there is not enough memory for its numbers as float32.
        """
        name = f"model {artifact.name!r}"
        try:
            file = GGUFFile(artifact.model.path)
            self.transformer = file.transformer()
            trained = file.value("llama.context_length", 2048)
            self._facts = ModelFacts(
                architecture="llama",
                vocabulary_size=len(self.transformer.head),
                trained_context=trained,
                context_length=min(options.context_length, trained),
                parameter_count=file.parameter_count,
                eos_token=file.fields["tokenizer.ggml.tokens"].contents(file.value("tokenizer.ggml.eos_token_id", 2)),
                capabilities=frozenset({Capability.COMPLETION, Capability.LOGPROBS}),
                runtime=f"NumPy {np.__version__}",
            )
            self.cache = self.transformer.empty_cache(self._facts.context_length)
            if not np.isfinite(self.transformer.logits([0], 0, self.cache)).all():  # a trial: no text is computed
                raise ValueError("what it computes are no numbers")
        except MemoryError as error:
            raise ModelMemoryError(f"there is not enough memory for {name} as float32", reason=str(error)) from error
        except Exception as error:  # whatever comes of believing a file
            problem = f"{name} is no plain Llama, or its file is damaged: the backend llamacpp may know"
            raise InvalidModelFileError(problem, reason=repr(error)) from error

    @property
    def facts(self) -> ModelFacts:
        """What the file says."""
        return self._facts

    def memory(self) -> tuple[MemoryUse, ...]:
        """Four bytes for each number."""
        return (MemoryUse("cpu", 4 * self._facts.parameter_count, self.cache.nbytes),)

    def close(self) -> None:
        """Nothing to do: arrays go with the last who knows them."""


class NumpyDecoder(Decoder):
    """One sequence: how many of its tokens are in the cache."""

    def __init__(self, model: NumpyModel) -> None:
        self._model = model
        self._length = 0

    @property
    def context_length(self) -> int:
        """As many as the cache has room for."""
        return self._model.facts.context_length

    def feed(self, tokens: Sequence[int]) -> Logits:
        """Compute them."""
        logits = self._model.transformer.logits(list(tokens), self._length, self._model.cache)
        self._length += len(tokens)
        return logits

    def reset(self) -> None:
        """Forget the sequence."""
        self._length = 0

    def trim(self, length: int) -> bool:
        """Forget its end: in the cache nobody looks behind it, and it will be overwritten."""
        self._length = length
        return True
