"""Where a model says how it is tokenized, and what is refused."""

import json
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from camelid import LoadedModel
from camelid.contracts.placement import WorkerSpec
from camelid.engine.client import WorkerClient
from camelid.engine.inprocess import InProcessPlacement
from camelid.errors import InvalidModelFileError, ModelLoadError, RequestError
from camelid.testing.suite.tokenizing import CORPUS
from camelid.testing.tiny_gguf import write_language_model
from camelid.types import LoadOptions, ModelArtifact, ModelFacts, ModelFile
from camelid.types.artifact import FileRole
from camelid.types.vocabulary import TokenizerKind, Vocabulary
from camelid_tokenizers.plugin import camelid_tokenizer


class Foreign(LoadedModel):
    """A model of another plugin's."""

    facts = ModelFacts(architecture="toy", vocabulary_size=261, trained_context=8, context_length=8, eos_token="<end>")

    def __init__(self, vocabulary=None):
        self.given = vocabulary

    @property
    def vocabulary(self):
        return self.given

    def memory(self):
        return ()

    def close(self):
        pass


def _artifact(*paths):
    roles = [FileRole.MODEL] + [FileRole.COMPANION] * (len(paths) - 1)
    files = tuple(ModelFile(str(path), role, name=path.name) for path, role in zip(paths, roles, strict=True))
    return ModelArtifact(name="m", format="any", files=files)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def tokenizer_json(tmp_path):
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = {letter: token for token, letter in enumerate(letters)} | {"th": 256, "<end>": 257}
    tokenizer = Tokenizer(models.BPE({**tokens}, [("t", "h")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<end>", "<|im_end|>"])
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def test_what_the_backend_read_goes_before_files(weights, tokenizer_json):
    vocabulary = Vocabulary(
        kind=TokenizerKind.SENTENCE_PIECE,
        pieces=[bytes((byte,)) for byte in range(256)],
        scores=[0.0] * 256,
        byte_tokens={byte: byte for byte in range(256)},
    )
    tokenizer = camelid_tokenizer(Foreign(vocabulary), _artifact(weights, tokenizer_json))
    assert tokenizer.encode("é", add_special=True, parse_special=True) == list("é".encode())


def test_a_tokenizer_json_goes_before_the_metadata_of_a_gguf_file(tmp_path, tokenizer_json):
    path = write_language_model(tmp_path / "model.gguf")
    tokenizer = camelid_tokenizer(Foreign(), _artifact(path, tokenizer_json))
    assert tokenizer.encode("th<end>", add_special=True, parse_special=True) == [256, 257]
    assert len(tokenizer.encode("<end>", add_special=True, parse_special=False)) == 5
    assert (tokenizer.vocabulary_size, tokenizer.end_tokens) == (261, {257, 258})
    assert [tokenizer.token_bytes(token) for token in (256, 257, 260)] == [b"th", b"", b""]
    with pytest.raises(RequestError, match="token 261 is not"):
        tokenizer.token_bytes(261)


def test_the_files_beside_it_say_what_ends_an_answer(tmp_path, weights, tokenizer_json):
    config = tmp_path / "generation_config.json"
    config.write_text(json.dumps({"eos_token_id": [3, 4], "more": {}}))
    assert camelid_tokenizer(Foreign(), _artifact(weights, tokenizer_json, config)).end_tokens == {3, 4, 257, 258}
    config.write_text('{"eos_token_id": "x"}')
    with pytest.raises(InvalidModelFileError, match=r"config.json cannot be read"):
        camelid_tokenizer(Foreign(), _artifact(weights, tokenizer_json, config))


@given(text=st.text(max_size=40))
def test_no_byte_is_lost(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("json")
    tokenizer = camelid_tokenizer(Foreign(), _artifact(folder / "none", _saved(folder / "tokenizer.json")))
    tokens = tokenizer.encode(text, add_special=False, parse_special=False)
    assert tokenizer.decode(tokens).decode() == text


def _saved(path):
    letters = {letter: token for token, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(letters, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.save(str(path))
    return path


def test_a_tokenizer_json_for_another_model_is_refused(weights, tokenizer_json):
    model = Foreign()
    model.facts = msgspec.structs.replace(Foreign.facts, vocabulary_size=200)
    with pytest.raises(InvalidModelFileError, match="it knows token 258, the model has 200 tokens"):
        camelid_tokenizer(model, _artifact(weights, tokenizer_json))


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"model": {"type": "BPE"}}', b"\xff"])
def test_a_damaged_tokenizer_json_is_refused(weights, tokenizer_json, content):
    tokenizer_json.write_bytes(content)
    with pytest.raises(InvalidModelFileError, match=r"tokenizer\.json is no tokenizer"):
        camelid_tokenizer(Foreign(), _artifact(weights, tokenizer_json))


def test_a_model_without_any_is_left_to_the_next_plugin(weights):
    assert camelid_tokenizer(Foreign(), _artifact(weights)) is None


def test_what_is_not_known_is_refused_by_name(tmp_path, write_byte_pairs, write_vocabulary):
    path = write_byte_pairs(tmp_path / "model.gguf", "kimi-k2")
    with pytest.raises(ModelLoadError, match=r"cannot cut out words as 'kimi-k2', which model 'm' needs; run it on a"):
        camelid_tokenizer(Foreign(), _artifact(path))
    path = write_vocabulary(tmp_path / "other.gguf", "t5", lambda writer: writer.add_token_list(["a"]))
    with pytest.raises(ModelLoadError, match=r"no tokenizer 't5', which model 'm' needs; run it on a"):
        camelid_tokenizer(Foreign(), _artifact(path))


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.005])
def test_half_a_file_is_refused(tmp_path, share):
    path = write_language_model(tmp_path / "model.gguf")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InvalidModelFileError, match="model 'm': the model file is truncated"):
        camelid_tokenizer(Foreign(), _artifact(path))


def test_numbers_that_promise_too_much_are_refused(tmp_path):
    path = tmp_path / "model.gguf"
    key = struct.pack("<Q", 21) + b"tokenizer.ggml.tokens" + struct.pack("<IIQ", 9, 8, 2**60)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + key)
    with pytest.raises(InvalidModelFileError, match="the model file's header is too large"):
        camelid_tokenizer(Foreign(), _artifact(path))


async def test_a_worker_uses_it_instead_of_the_backends_own_if_that_is_wanted(tmp_path):
    path = write_language_model(tmp_path / "model.gguf")
    artifact = ModelArtifact(name="m", format="gguf", files=(ModelFile(str(path)),))
    said = []
    for wanted in ("", "tokenizers"):
        options = LoadOptions(context_length=64, threads=1, tokenizer=wanted)
        spec = WorkerSpec("llamacpp", "llamacpp", artifact, options, ("tokenizers",))
        client = await WorkerClient.start(InProcessPlacement(), spec, timeout=60)
        said.append([await client.tokenize(text, add_special=True, parse_special=True) for text in CORPUS])
        await client.close()
    assert said[0][0] == said[1][0]
    plain = [(ours, theirs) for ours, theirs in zip(*said, strict=True) if ours != theirs]
    assert len(plain) <= 1  # llama.cpp makes the tiny model's control token of two new lines
