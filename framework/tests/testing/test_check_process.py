"""The kit in a process of its own survives whatever a backend does to it."""

from camelid.testing.check_process import Order, check_apart
from camelid.types import ModelArtifact, ModelFile

CRASHING = """
@hookimpl
def camelid_backends(register):
    register(BackendDescriptor("echo", frozenset({"echo"}), frozenset({Capability.COMPLETION})))

@hookimpl
def camelid_load_model(artifact, options):
    from camelid_echo.backend import EchoModel
    return EchoModel(artifact, options)

@hookimpl
def camelid_tokenizer(model):
    from camelid_echo.backend import EchoTokenizer
    return EchoTokenizer()

@hookimpl
def camelid_generator(model):
    import os
    from camelid_echo.tiers import EchoDecoder
    class Crashing(EchoDecoder):
        def feed(self, tokens):
            if 240 in list(tokens):  # the first byte of a llama
                os.kill(os.getpid(), 9)
            return super().feed(tokens)
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
