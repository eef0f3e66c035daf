import os
from importlib import metadata
from pathlib import Path

import msgspec
import pytest

from camelid.plugins.proofs import Proof, Proofs, machine_name, versions_behind
from camelid.types.capabilities import Capability

DECLARED = (Capability.COMPLETION, Capability.LOGPROBS, Capability.VISION)


def proof(**changes: object) -> Proof:
    made = Proof(
        backend="echo",
        model="camelid/echo",
        files="sha256:1",
        versions=versions_behind("camelid-echo"),
        machine=machine_name(),
        checked_at="2026-11-30T02:00:00+00:00",
        verified=(Capability.COMPLETION, Capability.LOGPROBS, Capability.SCORING),
    )
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def proofs(tmp_path: Path) -> Proofs:
    return Proofs(tmp_path / "proofs")


def test_nothing_is_proven_where_nothing_ran(proofs):
    proofs.write(proof(backend="other"))
    assert proofs.standing("echo", "camelid-echo", DECLARED) is None


def test_runs_with_several_models_add_up(proofs):
    proofs.write(proof())
    later = {"files": "sha256:2", "model": "seeing", "checked_at": "2026-12-01T00:00:00+00:00"}
    proofs.write(proof(verified=(Capability.VISION,), **later))
    standing = proofs.standing("echo", "camelid-echo", DECLARED)
    assert str(standing) == "3 of 3 verified 2026-12-01"
    assert (standing.models, standing.unproven, standing.stale) == (("camelid/echo", "seeing"), (), False)


def test_a_failure_counts_more_than_another_models_success(proofs):
    proofs.write(proof())
    proofs.write(proof(files="sha256:2", verified=(), failed=(Capability.LOGPROBS,), failures=("test_logprobs",)))
    standing = proofs.standing("echo", "camelid-echo", DECLARED)
    assert str(standing) == "1 of 3 verified 2026-11-30, 1 failed: logprobs"
    assert (standing.unproven, standing.failures) == (("vision",), ("test_logprobs",))


def test_a_duty_that_was_not_done_is_told(proofs):
    proofs.write(proof(failures=("test_memory_is_reported",)))
    standing = proofs.standing("echo", "camelid-echo", DECLARED)
    assert str(standing) == "2 of 3 verified 2026-11-30, but test_memory_is_reported failed"


def test_a_later_run_replaces_an_earlier_one(proofs):
    first, again = proofs.write(proof(failed=(Capability.COMPLETION,))), proofs.write(proof())
    assert first == again
    assert proofs.standing("echo", "camelid-echo", DECLARED).failed == ()


def test_of_a_model_its_own_run_is_told(proofs):
    proofs.write(proof())
    proofs.write(proof(files="sha256:2", model="seeing", verified=(Capability.VISION,)))
    assert proofs.standing("echo", "camelid-echo", DECLARED, files="sha256:2").verified == ("vision",)
    assert len(proofs.standing("echo", "camelid-echo", DECLARED, files="sha256:3").verified) == 3


@pytest.mark.parametrize("change", [{"versions": {"camelid-echo": "0.0.1"}}, {"machine": "another"}])
def test_what_was_run_elsewhere_is_stale(proofs, change):
    proofs.write(proof(**change))
    standing = proofs.standing("echo", "camelid-echo", DECLARED)
    assert standing.stale
    assert str(standing).startswith("2 of 3 verified 2026-11-30 (of another version or machine")
    proofs.write(proof(files="sha256:2", verified=(Capability.VISION,)))
    assert str(proofs.standing("echo", "camelid-echo", DECLARED)) == "1 of 3 verified 2026-11-30"


def test_files_of_others_are_passed_over(proofs, tmp_path):
    path = proofs.write(proof())
    (path.parent / "a.json").write_bytes(b"\xff{")
    (path.parent / "b.json").write_text('{"backend": "echo"}')
    (path.parent / "c.json").mkdir()
    assert proofs.standing("echo", "camelid-echo", DECLARED) is not None


def test_no_backend_writes_outside_of_the_folder(proofs, tmp_path):
    path = proofs.write(proof(backend="../../up/and away"))
    assert path.parent == tmp_path / "proofs"


def test_versions_are_those_of_a_package_and_what_it_requires():
    found = versions_behind("camelid-echo")
    assert found["camelid-echo"] == metadata.version("camelid-echo")
    assert found["camelid"] == metadata.version("camelid")
    assert versions_behind("not-installed-at-all") == {}


def test_what_is_no_proof_counts_as_never_written(proofs):
    folder = proofs.write(proof()).parent
    (folder / "deep.json").write_bytes(b'{"more": ' + b"[" * 3000 + b"]" * 3000 + b"}")
    (folder / "large.json").write_bytes(b" " * (1 << 18) + (folder / "deep.json").read_bytes())
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    assert str(proofs.standing("echo", "camelid-echo", DECLARED)) == "2 of 3 verified 2026-11-30"
