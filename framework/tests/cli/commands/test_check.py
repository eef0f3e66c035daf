import json
import re
import sys

import pytest

from camelid.testing.outcomes import Outcome
from camelid.testing.report import Finding

PLUGIN = """
from msgspec import structs
from camelid import hookimpl
from camelid.types import BackendDescriptor, Capability
from camelid_echo.backend import EchoModel, EchoTokenizer
from camelid_echo.tiers import EchoBatchDecoder

CAMELID_API = 1
FORMAT, ENDINGS = "echo", {}
Model, Decoder = EchoModel, EchoBatchDecoder

@hookimpl
def camelid_backends(register):
    everything = frozenset(Capability)
    register(BackendDescriptor("mine", formats=frozenset({FORMAT}), capabilities=everything, endings=ENDINGS))

@hookimpl
def camelid_load_model(artifact, options): return Model(artifact, options)

@hookimpl
def camelid_tokenizer(model): return EchoTokenizer()

@hookimpl
def camelid_generator(model): return Decoder(model)

"""
MODEL = '{"camelid_backend": "echo"}'


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "echo-model"
    path.write_text(MODEL)
    return str(path)


@pytest.fixture
def check(tmp_path, camelid_process, model):
    """Check a plugin that differs from the echo backend by a mistake."""
    site = tmp_path / "site"
    info = site / "my_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[camelid]\nmine = mine\n")

    def run(mistake, *arguments, model=model):
        (site / "mine.py").write_text(PLUGIN + mistake)
        return camelid_process("check", "mine", "--model", model, *arguments, PYTHONPATH=str(site))

    return run


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
    found = Finding("Live", "echo", "test_facts_are_plausible", None, Outcome.PASSED)
    monkeypatch.setattr("camelid.testing.check_process.check_apart", lambda _: iter([found]))
    run = camelid("check", "echo", "--model", model)
    assert run.returncode == 0
    assert run.stderr.startswith(f"Warning: this could not be kept in {models}")


def test_a_failure_says_what_came_and_where_to_look(check, camelid_process):
    run = check("class Model(EchoModel):\n    def memory(self): return ()\n", "--only", "memory_is_reported")
    assert run.returncode == 1
    assert "FAIL test_memory_is_reported[direct]" in run.stdout
    assert "expected the bytes that it takes; came ()" in run.stdout
    assert "look at `LoadedModel.memory`" in run.stdout
    assert "verified" not in camelid_process("plugins").stdout  # some cases are no proof


def test_a_case_that_crashes_has_failed_and_the_others_go_on(check):
    mistake = """
class Decoder(EchoBatchDecoder):
    def shift(self, sequence, keep, discard):
        import os
        os.abort()
"""
    run = check(mistake, "--only", "tokens_")
    assert run.returncode == 1
    _, said = run.stdout.split("FAIL test_shifted_tokens_leave_no_gap\n")
    assert said.startswith("the process was lost: ")
    assert re.search(r'mine.py", line \d+ in shift', said)
    assert run.stdout.count("FAIL test") == 1
    rows = [line.split() for line in run.stdout.splitlines()]
    assert ["every", "backend's", "duties", "1", "1"] in rows
    assert ["constraints", "2"] in rows


def test_a_model_that_crashes_when_it_is_loaded_fails_each_case(check):
    run = check("def Model(artifact, options):\n    import os\n    os.abort()\n", "--only", "memory_is_reported")
    assert run.returncode == 1
    assert run.stdout.count("FAIL test_memory_is_reported[") == 2
    assert run.stdout.count("came WorkerDiedError: ") == 2


def test_what_could_not_run_counts_if_somebody_is_strict(check):
    mistake = """
class Model(EchoModel):
    @property
    def facts(self):
        return structs.replace(super().facts, capabilities=super().facts.capabilities | {Capability.ADAPTERS})
"""
    run = check(mistake, "--only", "adapter_changes")
    assert run.returncode == 0
    assert "NOT RUN test_an_adapter_changes_what_the_model_says\nthere is no adapter" in run.stdout
    assert check(mistake, "--only", "adapter_changes", "--strict").returncode == 1


@pytest.mark.parametrize("path", ["models/a.toy", "models"])
def test_a_file_is_known_by_the_ending_that_a_backend_names(check, tmp_path, path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.toy").write_text(MODEL)
    mistake = "FORMAT, ENDINGS = 'toy', {'.toy': 'toy'}\n"
    run = check(mistake, "--only", "memory_is_reported", model=str(tmp_path / path))
    assert (run.returncode, run.stderr) == (0, ""), run.stdout


def test_what_the_descriptor_promises_and_the_model_has_not_is_told(check):
    """The echo model adapts nothing, and the descriptor says that the backend can do everything."""
    run = check("@hookimpl\ndef camelid_generator(model): return None\n")
    assert run.returncode == 1
    assert re.search(r"\nNot proven, for .*: adapters, .*image", run.stdout)


def test_a_broken_plugin_is_named_before_the_model_is_looked_for(check):
    run = check("@hookimpl\ndef camelid_tokeniser(model): return None\n", model="no-such-file.toy")
    assert "the plugin 'mine' of my-plugin is broken" in run.stderr
    assert "camelid_tokenizer is meant?" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("echo", "--model", "nobody"), 'model "nobody" not found, try pulling it first'),
        (("nobody", "--model", "{model}"), "no installed plugin registers the backend 'nobody'; there are: "),
        (("llamacpp", "--model", "{model}"), "the backend 'llamacpp' does not load models of the format 'echo'"),
        (("echo", "--model", sys.executable), "is no model file of a known format"),
        (("echo", "--model", "{model}", "--only", "llamas"), "no case has 'llamas' in its name"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(camelid, model, arguments, sentence):
    run = camelid("check", *(part.format(model=model) for part in arguments))
    assert run.returncode == 1
    assert run.stderr.startswith("Error: ")
    assert sentence in run.stderr
