from pathlib import Path

import pytest
from gguf import GGUFWriter

from camelid.cli.client import Client

ECHO = "camelid/echo"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    return folder


def write_gguf(path: Path) -> None:
    """A file with a header and no weights."""
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(128)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_from_a_model(camelid, server: str, client: Client, folder: Path):
    (folder / "Modelfile").write_text(f'FROM {ECHO}\nSYSTEM """Be\nshort."""\nPARAMETER stop <x>\nLICENSE free\n')
    run = camelid("create", "mine", cwd=folder, OLLAMA_HOST=server)
    assert (run.returncode, run.stdout) == (0, "")
    assert run.stderr.splitlines()[0] == "gathering model components"
    assert run.stderr.splitlines()[-1] == "success"
    shown = client.show("mine")
    assert (shown.system, shown.license) == ("Be\nshort.", "free")
    assert shown.parameters == 'stop                           "<x>"'


def test_from_a_file_that_is_uploaded_once(camelid, server: str, client: Client, folder: Path):
    write_gguf(folder / "w.gguf")
    (folder / "Other").write_text("FROM ./w.gguf\n")
    first = camelid("create", "tiny", "-f", str(folder / "Other"), OLLAMA_HOST=server)
    assert first.returncode == 0, first.stderr
    assert "copying file sha256:" in first.stderr
    assert client.show("tiny").model_info["general.architecture"] == "llama"
    again = camelid("create", "tiny2", "-f", str(folder / "Other"), OLLAMA_HOST=server)
    assert again.returncode == 0
    assert "copying file" not in again.stderr


def test_without_a_modelfile_the_folder_is_the_model(camelid, server: str, client: Client, folder: Path):
    write_gguf(folder / "w.gguf")
    run = camelid("create", "bare", cwd=folder, OLLAMA_HOST=server)
    assert run.returncode == 0, run.stderr
    assert client.show("bare").details.format == "gguf"


def test_from_stdin(camelid, server: str, client: Client):
    run = camelid("create", "piped", "-f", "-", stdin=f"FROM {ECHO}\nSYSTEM hi\n", OLLAMA_HOST=server)
    assert run.returncode == 0, run.stderr
    assert client.show("piped").system == "hi"


@pytest.mark.parametrize(
    ("modelfile", "text"),
    [
        ("FROM ./w.gguf\n", "Error: supplied file was not in GGUF format"),
        ("SYSTEM x\n", "Error: no FROM line"),
        ("FROM x\nDANCE\n", "Error: (line 3): command must be one of"),
        ("FROM ./nowhere\n", "Error: there is no file or folder ./nowhere"),
    ],
)
def test_mistakes(camelid, server: str, folder: Path, modelfile: str, text: str):
    (folder / "w.gguf").write_bytes(b"not a model")
    (folder / "Modelfile").write_text(modelfile)
    run = camelid("create", "broken", cwd=folder, OLLAMA_HOST=server)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith(text)


def test_deprecated_parameters_are_a_warning(camelid, server: str, folder: Path):
    (folder / "Modelfile").write_text(f"FROM {ECHO}\nPARAMETER mirostat 1\n")
    run = camelid("create", "old", cwd=folder, OLLAMA_HOST=server)
    assert run.returncode == 0
    assert "warning: parameter mirostat is deprecated" in run.stderr
