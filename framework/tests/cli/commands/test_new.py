from pathlib import Path

import pytest


@pytest.mark.parametrize("kind", ["backend", "registry"])
def test_a_package_is_written_and_the_next_steps_are_told(camelid, tmp_path: Path, kind: str):
    run = camelid("new", kind, "my-llama")
    assert (run.returncode, run.stderr) == (0, "")
    assert (tmp_path / "camelid-my-llama" / "src" / "camelid_my_llama" / "plugin.py").is_file()
    steps = run.stdout.partition("Next:\n")[2].splitlines()
    assert [step.split()[0] for step in steps[:3]] == ["cd", "pip", "pytest"]


def test_the_folder_may_be_chosen(camelid, tmp_path: Path):
    run = camelid("new", "backend", "my-llama", "--folder", "elsewhere/here")
    assert run.returncode == 0
    assert (tmp_path / "elsewhere" / "here" / "pyproject.toml").is_file()
    assert "cd elsewhere/here" in run.stdout


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("My_Llama", "cannot be the name of a package"), ("echo", "has a plugin 'echo' already")],
)
def test_a_refusal_is_one_sentence_and_writes_nothing(camelid, tmp_path: Path, name: str, sentence: str):
    run = camelid("new", "registry", name)
    assert run.returncode == 1
    assert run.stderr.startswith("Error: ")
    assert sentence in run.stderr
    assert run.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
