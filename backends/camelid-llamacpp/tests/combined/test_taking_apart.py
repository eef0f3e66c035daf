"""Files as Ollama writes them give what the same weights give as two files."""

import numpy as np
import pytest

from camelid.testing.tiny_combined import COMBINED_FAMILIES, write_combined_model
from camelid.types import Capability, LoadOptions, ModelArtifact, ModelFile
from camelid.types.artifact import FileRole
from camelid_llamacpp.backend import LlamaModel
from camelid_llamacpp.combined.architectures import SEEING_ARCHITECTURES
from camelid_llamacpp.combined.draft import Draft
from camelid_llamacpp.combined.families.table import FAMILIES
from camelid_llamacpp.combined.gguf_file import read_gguf
from camelid_llamacpp.combined.taking_apart import named_projector, take_apart

OPTIONS = LoadOptions(context_length=256, parallel=2, batch_tokens=32)


@pytest.fixture(scope="module", params=COMBINED_FAMILIES)
def files(request, tmp_path_factory):
    return write_combined_model(tmp_path_factory.mktemp(request.param), request.param)


def load(*files: ModelFile) -> LlamaModel:
    return LlamaModel(ModelArtifact("tiny", "gguf", files), OPTIONS)


def logits_about(model: LlamaModel, new_driver, *parts: str | bytes) -> np.ndarray:
    seen = model.media_tokenizer().tokenize(parts, add_special=True)
    decoder = model.decoder()
    try:
        return new_driver(decoder).read(0, seen)
    finally:
        for part in seen:
            if hasattr(part, "close"):
                part.close()
        model.close()


def test_a_picture_means_the_same(files, draw, new_driver):
    question = "what is ", draw(1), " this?"
    apart = load(ModelFile(str(files.language)), ModelFile(str(files.projector), FileRole.PROJECTOR))
    together = load(ModelFile(str(files.combined)))
    assert together.facts == apart.facts
    assert Capability.VISION in together.facts.capabilities
    expected = logits_about(apart, new_driver, *question)
    np.testing.assert_allclose(logits_about(together, new_driver, *question), expected, atol=1e-4)
    other = logits_about(load(ModelFile(str(files.combined))), new_driver, "what is ", draw(2), " this?")
    assert not np.allclose(other, expected, atol=0.02)


def test_files_that_llama_cpp_reads_are_left_alone(files):
    assert take_apart(files.language, "it") is None
    assert take_apart(files.projector, "it") is None


def test_what_sees_is_what_has_a_projector():
    assert {name for name, family in FAMILIES.items() if family.projector is not None} == SEEING_ARCHITECTURES


def test_a_projector_that_does_not_say_what_it_is_sees_as_one_that_does(tiny, tmp_path, draw, new_driver):
    file = read_gguf(tiny["mlp"], "a test")
    values = {key: value for key, value in file.metadata.items() if key != "clip.projector_type"}
    assert len(values) == len(file.metadata) - 1
    nameless = tmp_path / "nameless.gguf"
    nameless.write_bytes(b"".join(bytes(chunk) for chunk in Draft(file, values, file.tensors).assemble().chunks()))
    assert named_projector(tiny["mlp"], "a test") is None
    assert named_projector(tiny["llama"], "a test") is None
    seen = []
    for projector in (tiny["mlp"], nameless):
        model = load(ModelFile(str(tiny["llama"])), ModelFile(str(projector), FileRole.PROJECTOR))
        seen.append(logits_about(model, new_driver, draw(1), "what is it?"))
    assert np.array_equal(*seen)
