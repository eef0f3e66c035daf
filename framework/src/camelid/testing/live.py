"""A suite for what is installed: no author wrote one for it."""

from pathlib import Path

from camelid.testing.backend import BackendSuite
from camelid.types.artifact import ModelArtifact

__all__ = ("live_suite",)


def live_suite(
    backend: str, artifact: ModelArtifact, *, adapter: Path | None = None, patience: float = BackendSuite.patience
) -> BackendSuite:
    """A suite that tests a backend with a model.

    Args:
        backend: name in the descriptor.
        artifact: the model.
        adapter: of this model, if there is one.
        patience: seconds that anything in a case may take.
    """

    class Live(BackendSuite):
        def make_artifact(self, folder: Path) -> ModelArtifact:  # noqa: ARG002 - it is made already
            return artifact

        def make_adapter(self, folder: Path) -> Path | None:  # noqa: ARG002 - it is made already
            return adapter

    Live.backend, Live.patience = backend, patience
    return Live()
