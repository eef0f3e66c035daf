"""Adapters."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from camelid.engine.client import WorkerClient
from camelid.testing.host import Host
from camelid.testing.outcomes import check, needs, not_run
from camelid.testing.suite.generating import GREEDY, PROMPT
from camelid.types.artifact import FileRole, ModelFile
from camelid.types.capabilities import Capability
from camelid.wire.messages import Submit

__all__ = ("AdaptingCases",)


class AdaptingCases:
    """Adapt."""

    @needs(Capability.ADAPTERS)
    def test_an_adapter_changes_what_the_model_says(self, worker: Host, adapter: Path | None, tmp_path: Path) -> None:
        """Proves that adapters are applied. If it fails, look at `camelid_load_model` and the artifact's `ADAPTER`."""
        if adapter is None:
            if Capability.ADAPTERS in worker.facts.capabilities:
                not_run("there is no adapter: make_adapter(self, folder) of a suite, or --adapter, names one")
            adapter = tmp_path / "adapter"
            adapter.touch()
        artifact = worker.spec.artifact
        files = (*artifact.files, ModelFile(path=str(adapter), role=FileRole.ADAPTER))
        spec = msgspec.structs.replace(worker.spec, artifact=msgspec.structs.replace(artifact, files=files))
        with worker.another(spec) as adapted:
            with_it, without = _said(worker, adapted), _said(worker, worker.client)
        check(with_it != without, "another answer with the adapter than without", with_it)


def _said(worker: Host, client: WorkerClient) -> Sequence[object]:
    """How probable an answer's tokens are, where the backend tells; else the answer, a vector, or a score."""
    capabilities = client.ready.facts.capabilities
    if Capability.RERANK in capabilities and not {Capability.COMPLETION, Capability.EMBEDDING} & capabilities:
        return worker.run(client.rank(PROMPT, (PROMPT,), truncate=True)).scores
    if Capability.COMPLETION not in capabilities:
        return worker.run(client.embed((PROMPT,), truncate=True)).vectors
    logprobs = Capability.LOGPROBS in capabilities
    answer = worker.run(worker.collect(Submit(id=0, prompt=PROMPT, sampling=GREEDY, logprobs=logprobs), client))
    return [entry.logprob for entry in answer.logprobs] or answer.text
