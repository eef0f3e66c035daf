"""The kit in a process of its own survives whatever a backend does to it."""

from camelid.testing.check_process import Order, check_apart
from camelid.types import ModelArtifact, ModelFile

CRASHING = """
import os
from camelid_echo.plugin import camelid_backends, camelid_load_model, camelid_tokenizer

@hookimpl
def camelid_generator(model):
    from camelid_echo.tiers import EchoBatchDecoder
    class Crashing(EchoBatchDecoder):
        def decode(self, batch):
            if 240 in batch.tokens[:batch.size]:  # the first byte of a llama
                os.kill(os.getpid(), 9)
            super().decode(batch)
    return Crashing(model)
"""


def test_a_case_that_kills_its_process_harms_no_other_one(install, tmp_path, monkeypatch):
    install("crashing", CRASHING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    model = tmp_path / "model"
    model.write_text('{"camelid_backend": "echo"}')
    artifact = ModelArtifact(name="echo", format="echo", files=(ModelFile(path=str(model)),))
    order = Order(backend="echo", artifact=artifact, patience=60, only="s_ar", plugins=("crashing",))
    findings = list(check_apart(order))
    ends = {(found.case, found.variant): found for found in findings}
    arrive = "test_characters_arrive_whole"
    assert "WorkerDiedError" in ends[arrive, "worker"].reason
    assert "the process was lost" in ends[arrive, "direct"].reason
    assert all(ends["test_logprobs_are_a_distribution", place].outcome == "passed" for place in ("worker", "direct"))
