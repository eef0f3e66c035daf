"""`BackendSuite`: every area of the kit in one class, so that none can be forgotten."""

from pathlib import Path
from typing import ClassVar

from camelid.testing.outcomes import fail
from camelid.testing.suite.adapting import AdaptingCases
from camelid.testing.suite.batching import BatchingCases
from camelid.testing.suite.cancelling import CancellingCases
from camelid.testing.suite.constraining import ConstrainingCases
from camelid.testing.suite.contracts import ContractCases
from camelid.testing.suite.embedding import EmbeddingCases
from camelid.testing.suite.generating import GeneratingCases
from camelid.testing.suite.hearing import HearingCases
from camelid.testing.suite.isolation import IsolationCases
from camelid.testing.suite.limiting import LimitingCases
from camelid.testing.suite.loading import LoadingCases
from camelid.testing.suite.ranking import RankingCases
from camelid.testing.suite.recovery import RecoveryCases
from camelid.testing.suite.saving import StateSavingCases
from camelid.testing.suite.scoring import ScoringCases
from camelid.testing.suite.seeing import SeeingCases
from camelid.testing.suite.sharing import PrefixSharingCases
from camelid.testing.suite.stopping import StoppingCases
from camelid.testing.suite.tokenizing import TokenizingCases
from camelid.types.artifact import ModelArtifact
from camelid.types.loading import LoadOptions

__all__ = ("BackendSuite",)


class BackendSuite(
    LoadingCases,
    ContractCases,
    TokenizingCases,
    GeneratingCases,
    StoppingCases,
    ConstrainingCases,
    ScoringCases,
    LimitingCases,
    CancellingCases,
    IsolationCases,
    BatchingCases,
    PrefixSharingCases,
    StateSavingCases,
    EmbeddingCases,
    RankingCases,
    AdaptingCases,
    SeeingCases,
    HearingCases,
    RecoveryCases,
):
    """Derive from this, say what to test, add nothing else; cases cannot be overridden."""

    backend: ClassVar[str]
    """Name in the backend's descriptor."""
    options: ClassVar[LoadOptions] = LoadOptions(context_length=512, parallel=4, batch_tokens=128)
    """How to load the model for most cases."""
    patience: ClassVar[float] = 60.0
    """Seconds that anything in a case may take, loading included."""
    expected_failures: ClassVar[dict[str, str]] = {}
    """Case → why it fails today. Strict: a case that passes must be taken out."""

    def make_artifact(self, folder: Path) -> ModelArtifact:  # noqa: ARG002 - not abstract: pytest skips such classes
        """The model to test with; files may be made in `folder`. Call `not_run` if it cannot be had."""
        fail(f"{type(self).__name__} has no make_artifact(self, folder) that returns its model")

    def make_adapter(self, folder: Path) -> Path | None:  # noqa: ARG002 - as above
        """An adapter that changes what the model of `make_artifact` says; None if there is none to test with."""
        return None

    def make_seeing_artifact(self, folder: Path) -> ModelArtifact | None:  # noqa: ARG002 - as above
        """A model that is shown pictures; None if the model of `make_artifact` is, or if the backend has none."""
        return None

    def make_hearing_artifact(self, folder: Path) -> ModelArtifact | None:  # noqa: ARG002 - as above
        """A model that is played sounds; None if the model of `make_artifact` is, or if the backend has none."""
        return None

    @staticmethod
    def cases() -> list[str]:
        """Names of all cases, in the order of the areas."""
        return [name for area in BackendSuite.__mro__ for name in vars(area) if name.startswith("test_")]

    def __init_subclass__(cls) -> None:
        """Refuse overridden cases and expected failures that name no case."""
        cases = set(BackendSuite.cases())
        overridden = sorted(cases & set(vars(cls)))
        if overridden:
            raise TypeError(f"{cls.__name__} overrides {', '.join(overridden)}: use expected_failures, with a reason")
        unknown = sorted(set(cls.expected_failures) - cases)
        if unknown:
            raise TypeError(f"{cls.__name__} expects failures of cases that do not exist: {', '.join(unknown)}")
