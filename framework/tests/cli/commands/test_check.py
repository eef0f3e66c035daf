import json
import sys

import pytest

from camelid.types import LoadOptions

MODEL = '{"camelid_backend": "echo"}'


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "echo-model"
    path.write_text(MODEL)
    return str(path)


def test_what_is_proven_is_told_from_then_on(camelid_process, tmp_path, model, monkeypatch):
    """The whole kit, and no pytest: whoever imports it ends the command."""
    (tmp_path / "pytest.py").write_text("raise SystemExit('somebody imported pytest')\n")
    report = tmp_path / "report.json"
    run = camelid_process("check", "echo", "--model", model, "--json", str(report), PYTHONPATH=str(tmp_path))
    assert (run.returncode, run.stderr) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in run.stdout.splitlines()[2:]}
    assert rows["state-save"] == ["2"]
    assert "FAIL" in run.stdout.splitlines()[1]
    (suite,) = json.loads(report.read_text())["suites"]
    assert suite["backend"] == "echo"
    assert set(suite["outcomes"].values()) == {"passed", "refused"}
    rows = json.loads(camelid_process("plugins", "--json").stdout)
    (backend,) = next(row for row in rows if row["name"] == "echo")["backends"]
    assert (backend["standing"]["failed"], backend["standing"]["unproven"]) == ([], [])
    assert backend["standing"]["models"] == ["echo-model"]
    assert "backend echo (echo): 9 of 9 verified 2" in camelid_process("plugins").stdout


def test_where_nothing_can_be_kept_it_is_told_all_the_same(camelid, model, monkeypatch, tmp_path):
    models = tmp_path / "models"
    (models / ".camelid").mkdir(parents=True)
    (models / ".camelid" / "proofs").write_text("no folder")
    monkeypatch.setattr("camelid.testing.BackendSuite.cases", staticmethod(lambda: ["test_facts_are_plausible"]))
    run = camelid("check", "echo", "--model", model)
    assert run.returncode == 0
    assert run.stderr.startswith(f"Warning: this could not be kept in {models}")


def test_a_failure_says_what_came_and_where_to_look(camelid, model, monkeypatch):
    monkeypatch.setattr("camelid_echo.backend.EchoModel.memory", lambda self: ())
    run = camelid("check", "echo", "--model", model, "--only", "memory_is_reported")
    assert run.returncode == 1
    assert "FAIL test_memory_is_reported[direct]" in run.stdout
    assert "expected the bytes that it takes; came ()" in run.stdout
    assert "look at `LoadedModel.memory`" in run.stdout
    assert "verified" not in camelid("plugins").stdout  # some cases are no proof


def test_what_could_not_run_counts_if_somebody_is_strict(camelid, model, monkeypatch):
    monkeypatch.setattr("camelid.testing.BackendSuite.options", LoadOptions(context_length=512, parallel=1))
    asked = ("check", "echo", "--model", model, "--only", "advance_together")
    run = camelid(*asked)
    assert run.returncode == 0
    assert "NOT RUN test_sequences_advance_together\nthe suite's options allow one sequence only" in run.stdout
    assert camelid(*asked, "--strict").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("echo", "--model", "nobody"), 'model "nobody" not found, try pulling it first'),
        (("nobody", "--model", "{model}"), "there is no backend 'nobody'; backends that can: echo"),
        (("llamacpp", "--model", "{model}"), "the backend 'llamacpp' does not load models of the format 'echo'"),
        (("echo", "--model", sys.executable), "is no model file of a known format"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(camelid, model, arguments, sentence):
    run = camelid("check", *(part.format(model=model) for part in arguments))
    assert run.returncode == 1
    assert run.stderr.startswith("Error: ")
    assert sentence in run.stderr
