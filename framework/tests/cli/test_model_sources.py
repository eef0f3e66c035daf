import hashlib
from pathlib import Path

import pytest

from camelid.cli.messages import CreateBody
from camelid.cli.model_sources import collect
from camelid.errors import RequestError
from camelid.store.modelfile import parse
from camelid.types.messages import Message

WEIGHTS = b"weights" * 1000
DIGEST = "sha256:" + hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "w.gguf").write_bytes(WEIGHTS)
    return tmp_path


def test_a_file_is_found_beside_the_modelfile(folder: Path):
    sources = collect("mine", parse("FROM ./w.gguf\n"), folder)
    assert sources.body == CreateBody("mine", files={"w.gguf": DIGEST})
    assert sources.blobs == {DIGEST: folder / "w.gguf"}


def test_a_folder_gives_all_its_files(folder: Path):
    assert collect("mine", parse("FROM .\n"), folder).body.files == {"w.gguf": DIGEST}


def test_what_is_no_path_is_a_model(folder: Path):
    sources = collect("mine", parse("FROM llama3.2:1b\n"), folder)
    assert (sources.body.from_, sources.body.files, sources.blobs) == ("llama3.2:1b", {}, {})


@pytest.mark.parametrize("source", ["file:///srv/w.gguf", "oci://localhost:5000/team/w.gguf"])
def test_what_the_server_has_or_fetches_is_not_sent(folder: Path, source: str):
    sources = collect("mine", parse(f"FROM {source}\n"), folder)
    assert (sources.body.from_, sources.body.files, sources.blobs) == (source, {}, {})


@pytest.mark.parametrize("path", ["~nobody-of-this-name/w.gguf", f"./{'a' * 400}", "./no\udcff.gguf"])
def test_what_can_only_be_a_path_and_is_none(folder: Path, path: str):
    for line in (f"FROM {path}", f"FROM base\nADAPTER {path}", f"FROM base\nDRAFT {path}"):
        with pytest.raises(RequestError, match="there is no file or folder"):
            collect("mine", parse(f"{line}\n"), folder)


def test_what_is_too_long_for_a_path_is_a_name(folder: Path):
    assert collect("mine", parse(f"FROM {'a' * 400}\n"), folder).body.from_ == "a" * 400


def test_everything_else_is_passed_on(folder: Path):
    text = (
        'FROM llama3\nSYSTEM """be\nshort"""\nTEMPLATE {{ .Prompt }}\nPARAMETER stop <a>\nPARAMETER stop <b>\n'
        "PARAMETER seed 7\nLICENSE one\nLICENSE two\nMESSAGE user hi\nMESSAGE assistant ho\nREQUIRES v0.14.0\n"
    )
    assert collect("mine", parse(text), folder, quantize="q4_0").body == CreateBody(
        "mine",
        from_="llama3",
        template="{{ .Prompt }}",
        system="be\nshort",
        license=("one", "two"),
        parameters={"stop": ["<a>", "<b>"], "seed": 7},
        messages=(Message("user", "hi"), Message("assistant", "ho")),
        quantize="q4_0",
        requires="0.14.0",
    )


def test_an_adapter_is_uploaded_too(folder: Path):
    (folder / "lora.gguf").write_bytes(b"lora")
    sources = collect("mine", parse("FROM base\nADAPTER ./lora.gguf\n"), folder)
    digest = "sha256:" + hashlib.sha256(b"lora").hexdigest()
    assert (sources.body.adapters, sources.blobs) == ({"lora.gguf": digest}, {digest: folder / "lora.gguf"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM ./missing.gguf\n", "there is no file or folder ./missing.gguf"),
        ("FROM missing.gguf\n", "there is no file or folder missing.gguf"),
        ("FROM base\nADAPTER lora\n", "there is no file or folder lora"),
        ("FROM base\nDRAFT small\n", "there is no file or folder small"),
        ("FROM ./w.gguf\nFROM other/w.gguf\n", "two files of the model are called w.gguf"),
        ("FROM w.gguf\nDRAFT ./w.gguf\n", "DRAFT must not reference the same local path as FROM"),
    ],
)
def test_mistakes_are_named(folder: Path, text: str, message: str):
    (folder / "other").mkdir()
    (folder / "other" / "w.gguf").write_bytes(b"x")
    with pytest.raises(RequestError, match=message):
        collect("mine", parse(text), folder)
