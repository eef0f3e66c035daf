import ctypes

import pytest

from camelid import Media
from camelid.errors import InvalidModelFileError, ModelLoadError, ModelMemoryError
from camelid.testing.tiny_combined import write_combined_model
from camelid.testing.tiny_gguf import ProjectorKind, write_projector
from camelid.types import LoadOptions, ModelArtifact, ModelFile
from camelid.types.artifact import FileRole
from camelid_llamacpp import weights
from camelid_llamacpp.backend import LlamaModel
from camelid_llamacpp.combined.assembly import Assembly
from camelid_llamacpp.options import LlamaCppOptions


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_combined_model(tmp_path_factory.mktemp("gemma3"), "gemma3")


def first_logits(new_driver, *files: ModelFile, **options: object):
    model = LlamaModel(ModelArtifact("tiny", "gguf", files), LoadOptions(context_length=64, **options))
    try:
        tokens = model.tokenizer().encode("what is it?", add_special=True, parse_special=False)
        return new_driver(model.decoder()).feed({0: tokens})[0]
    finally:
        model.close()


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("options", [{}, {"memory_map": True}, {"backend": {"lock_memory": True}}], ids=repr)
def test_a_combined_file_is_read_like_any_other(files, new_driver, monkeypatch, streams, options):
    expected = first_logits(new_driver, ModelFile(str(files.language)))
    if not streams:
        monkeypatch.setattr(weights, "streams_are_possible", lambda: False)
    assert first_logits(new_driver, ModelFile(str(files.combined)), **options) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("own", "tokens"), [(False, 4), (True, 16)])
def test_a_projector_of_its_own_wins(files, tmp_path, draw, own, tokens):
    parts = [ModelFile(str(files.combined))]
    if own:
        path = write_projector(tmp_path / "mmproj.gguf", ProjectorKind.MLP)
        parts.append(ModelFile(str(path), FileRole.PROJECTOR))
    model = LlamaModel(ModelArtifact("tiny", "gguf", tuple(parts)), LoadOptions(context_length=128))
    try:
        (media,) = (
            part
            for part in model.media_tokenizer().tokenize(["a ", draw(1), " b"], add_special=False)
            if isinstance(part, Media)
        )
        assert media.length == tokens
        media.close()
    finally:
        model.close()


def test_a_combined_file_that_was_cut_off_is_said_to_be_damaged(files, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(files.combined.read_bytes()[:-4096])
    with pytest.raises(InvalidModelFileError, match="damaged or incomplete"):
        LlamaModel(ModelArtifact("tiny", "gguf", (ModelFile(str(cut)),)), LoadOptions())


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [(OSError("it broke"), ModelLoadError, "cannot be read"), (MemoryError(), ModelMemoryError, "not enough memory")],
)
def test_a_model_that_was_read_only_in_part_is_freed(files, monkeypatch, error, kind, words):
    """What could not be read is zeros, and llama.cpp may not mind."""
    freed: list[int] = []

    def refuse(*_):
        raise error

    def load(handle, _parameters):
        libc = ctypes.CDLL(None)
        libc.fgetc.argtypes = [ctypes.c_void_p]
        assert libc.fgetc(handle) == -1
        return 4711

    monkeypatch.setattr(Assembly, "read_into", refuse)
    monkeypatch.setattr(weights.llama_cpp, "llama_model_load_from_file_ptr", load)
    monkeypatch.setattr(weights.llama_cpp, "llama_model_free", freed.append)
    with pytest.raises(kind, match=words):
        weights.load_weights("tiny", [files.combined], LoadOptions(), LlamaCppOptions())
    assert freed == [4711]
