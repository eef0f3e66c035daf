"""Loading: the model's file holds one number, the step to count by."""

from pathlib import Path

from camelid import LoadedModel, hookimpl
from camelid.errors import InvalidModelFileError
from camelid.types import Capability, LoadOptions, MemoryUse, ModelArtifact, ModelFacts

CAMELID_API = 1


class CountingModel(LoadedModel):
    def __init__(self, step: int, options: LoadOptions) -> None:
        self.step = step
        self.options = options

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts(
            architecture="counting",
            vocabulary_size=257,
            trained_context=4096,
            context_length=min(4096, self.options.context_length),
            eos_token="<|end|>",
            capabilities=frozenset({Capability.COMPLETION, Capability.TOKENIZE, Capability.LOGPROBS}),
        )

    def memory(self) -> tuple[MemoryUse, ...]:
        return (MemoryUse(device="cpu", model=8),)

    def close(self) -> None:
        """A runtime gives its memory back here."""


@hookimpl
def camelid_load_model(artifact: ModelArtifact, options: LoadOptions) -> LoadedModel | None:
    """Import the runtime here, not above; believe nothing that the file says."""
    if artifact.format != "counting":
        return None
    try:
        step = int(Path(artifact.model.path).read_bytes()[:20])
    except ValueError as error:
        raise InvalidModelFileError("this is no counting model: it holds no number", reason=str(error)) from error
    return CountingModel(step, options)
