"""Loading projectors."""

import subprocess
import sys

import pytest

from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid.types import Capability, LoadOptions, ModelArtifact, ModelFile
from camelid.types.artifact import FileRole
from camelid_llamacpp import plugin
from camelid_llamacpp.backend import LlamaModel

OPTIONS = LoadOptions(context_length=64, parallel=1, batch_tokens=16)


def _load(language, projector) -> LlamaModel:
    files = ModelFile(str(language)), ModelFile(str(projector), FileRole.PROJECTOR)
    return LlamaModel(ModelArtifact(name="tiny", format="gguf", files=files), OPTIONS)


def test_a_model_with_a_projector_sees(seeing):
    model = seeing("mlp")
    assert Capability.VISION in model.facts.capabilities
    assert Capability.AUDIO not in model.facts.capabilities
    assert plugin.camelid_media_tokenizer(model) is not None


def test_a_model_without_one_does_not(load, tiny):
    model = load(tiny["llama"])
    assert Capability.VISION not in model.facts.capabilities
    assert plugin.camelid_media_tokenizer(model) is None
    model.close()


def test_its_weights_and_buffers_are_counted(seeing, load, tiny):
    plain = load(tiny["llama"], context_length=192, parallel=3, batch_tokens=16)
    (without,), (with_projector,) = plain.memory(), seeing("mlp").memory()
    plain.close()
    assert with_projector.model - without.model == tiny["mlp"].stat().st_size
    assert with_projector.compute > without.compute


def test_one_of_another_width_is_refused(tiny):
    with pytest.raises(ModelLoadError, match="made for another model") as caught:
        _load(tiny["llama"], tiny["wide"])
    assert "n_embd = 96" in caught.value.reason


def test_what_is_no_projector_is_refused(tiny):
    with pytest.raises(ModelLoadError, match="no projector") as caught:
        _load(tiny["llama"], tiny["llama"])
    assert caught.value.reason


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF" + bytes(60), b"not a projector"])
def test_what_is_no_gguf_file_is_refused(tiny, tmp_path, content):
    (tmp_path / "broken.gguf").write_bytes(content)
    with pytest.raises(InvalidModelFileError):
        _load(tiny["llama"], tmp_path / "broken.gguf")


def test_a_truncated_one_is_refused(tiny, tmp_path):
    whole = tiny["mlp"].read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidModelFileError, match="damaged"):
        _load(tiny["llama"], tmp_path / "cut.gguf")


def test_only_a_model_with_a_projector_loads_libmtmd(tiny):
    code = (
        "import sys\n"
        "from camelid.types import LoadOptions, ModelArtifact, ModelFile\n"
        "from camelid.types.artifact import FileRole\n"
        "from camelid_llamacpp.backend import LlamaModel\n"
        "for files in ((ModelFile(sys.argv[1]),), "
        "(ModelFile(sys.argv[1]), ModelFile(sys.argv[2], FileRole.PROJECTOR))):\n"
        "    LlamaModel(ModelArtifact('x', 'gguf', files), LoadOptions(context_length=64)).close()\n"
        "    print('llama_cpp.mtmd_cpp' in sys.modules, 'PIL' in sys.modules)\n"
    )
    arguments = [sys.executable, "-c", code, str(tiny["llama"]), str(tiny["mlp"])]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["False False", "True False"]
    assert not done.stderr


def test_loading_and_looking_print_nothing(seeing, draw, capfd):
    model = seeing("gemma3")
    decoder = model.decoder()
    _, picture, _ = model.media_tokenizer().tokenize([draw(1)], add_special=False)
    decoder.decode_media(0, 0, picture)
    picture.close()
    decoder.close()
    assert capfd.readouterr() == ("", "")
