"""The plugins on the page of hooks: each is loaded as an installed one, and what its hook gives is put to work."""

import ast
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from camelid import hookspecs
from camelid.contracts.media import Media
from camelid.contracts.placement import WorkerSpec
from camelid.decoding.lift import lift
from camelid.engine.client import WorkerClient
from camelid.errors import InvalidModelFileError, RequestError
from camelid.prompts.tool_calls.choose import choose_format
from camelid.types import (
    Capability,
    LoadOptions,
    ModelArtifact,
    ModelFile,
    ModelName,
    SamplingOptions,
    Tool,
)
from camelid.types.conversion import ConversionTask
from camelid.types.messages import Function
from camelid.wire.messages import Submit

HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("camelid_"))
WORKER_HOOKS = ("camelid_load_model", "camelid_tokenizer", "camelid_generator")
DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = sorted((*DOCS.glob("reference/snippets/*.py"), *DOCS.glob("tutorial/*/*.py")))
OPTIONS = LoadOptions(context_length=64)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_snippet_and_a_test_of_it(docs, hook):
    assert (docs / "reference" / "snippets" / f"{hook}.py").is_file()
    tests = (path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*snippets.py"))
    assert any(f"def test_{hook}(" in text for text in tests)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_snippet_implements_its_hook_alone(plugins, hook):
    (record,) = [row for row in plugins(hook).records if row.name == hook]
    assert record.hooks == (hook,)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_imports_what_plugins_may(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    named += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    ours = [module for module in named if module.partition(".")[0] == "camelid"]
    assert ours
    assert all(module == "camelid" or module.split(".")[1] in {"contracts", "errors", "types"} for module in ours)


def _artifact(folder: Path, content: str = "1") -> ModelArtifact:
    path = folder / "model"
    path.write_text(content)
    return ModelArtifact(name="counter", format="counting", files=(ModelFile(path=str(path)),))


def test_camelid_backends(plugins):
    catalog = plugins("camelid_backends").catalog
    found = catalog.backend_for("counting")
    assert (found.name, found.plugin) == ("counting", "camelid_backends")
    assert Capability.COMPLETION in found.descriptor.capabilities


def test_camelid_load_model(plugins, tmp_path):
    host = plugins("camelid_load_model")
    model = host.load_model("camelid_load_model", _artifact(tmp_path, "3"), OPTIONS)
    assert model.facts.context_length == 64
    assert sum(use.total for use in model.memory()) > 0
    model.close()
    with pytest.raises(InvalidModelFileError, match="no number"):
        host.load_model("camelid_load_model", _artifact(tmp_path, "three"), OPTIONS)


def test_camelid_tokenizer(plugins, tmp_path):
    host = plugins("camelid_load_model", "camelid_tokenizer")
    model = host.load_model("camelid_load_model", _artifact(tmp_path), OPTIONS)
    assert host.catalog.tokenizers == ("camelid_tokenizer",)
    tokenizer = host.tokenizer("camelid_load_model", model, _artifact(tmp_path), others=host.catalog.tokenizers)
    for text in ("", "plain", "größer, 大きい, 🦙"):
        tokens = tokenizer.encode(text, add_special=True, parse_special=True)
        assert tokenizer.decode(tokens).decode() == text
        assert all(0 <= token < tokenizer.vocabulary_size for token in tokens)
    control = model.facts.eos_token
    assert tokenizer.encode(f"a{control}b", add_special=True, parse_special=True) == [97, 256, 98]
    assert len(tokenizer.encode(control, add_special=True, parse_special=False)) == len(control)


@pytest.fixture
def counting(plugins, tmp_path):
    """The snippets that make a backend together: host, model and tokenizer; more snippets may be named."""

    def load(*more):
        host = plugins(*dict.fromkeys((*WORKER_HOOKS, *more)))
        artifact = _artifact(tmp_path)
        model = host.load_model("camelid_load_model", artifact, OPTIONS)
        return host, model, host.tokenizer("camelid_load_model", model, artifact, wanted="camelid_tokenizer")

    return load


def test_camelid_generator(counting):
    """It is lifted and scheduled as in a worker, and its tokens are sampled by the framework."""
    from camelid.contracts.engine import EngineRequest

    host, model, tokenizer = counting()
    engine = lift(host.generator("camelid_generator", model, tokenizer), tokenizer)
    prompt = tuple(tokenizer.encode("abcd", add_special=True, parse_special=True))
    engine.submit(EngineRequest(1, prompt, SamplingOptions(temperature=0.0)))
    answer = []
    while engine.busy:
        for event in engine.step():
            assert event.error is None
            answer += event.tokens
    engine.close()
    assert tokenizer.decode(answer) == b"efghijklmnopqrstuvwxyz"


def test_camelid_embedder(counting):
    host, model, tokenizer = counting("camelid_embedder")
    embedder = host.embedder("camelid_embedder", model, tokenizer)
    texts = [tokenizer.encode(text, add_special=True, parse_special=True) for text in ("listen", "silent", "camel")]
    one, same, other = embedder.embed(texts)
    assert one.shape == (embedder.dimensions,)
    assert one.dtype == np.float32
    assert (one == same).all()
    assert not (one == other).all()


def test_camelid_ranker(counting):
    host, model, tokenizer = counting("camelid_ranker")
    ranker = host.ranker("camelid_ranker", model, tokenizer)
    scores = ranker.rank([ranker.pair("llama", document) for document in ("a llama", "lamp", "fog", "")])
    assert scores.dtype == np.float32
    assert scores[0] == 1
    assert scores[0] > scores[1] > scores[2] == scores[3] == 0


def test_camelid_media_tokenizer(counting):
    host, model, tokenizer = counting("camelid_media_tokenizer")
    media = host.media_tokenizer("camelid_media_tokenizer", model, tokenizer)
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)
    before, picture, again, after = media.tokenize(["see ", png, png, " now"], add_special=True)
    assert tokenizer.decode([*before, *after]) == b"see  now"
    assert isinstance(picture, Media)
    assert picture.digest == again.digest
    assert len(picture.digest) >= 16
    with pytest.raises(RequestError, match="PNG"):
        media.tokenize([b"GIF89a"], add_special=True)


def test_camelid_converters(plugins):
    found = plugins("camelid_converters").catalog.converter_for("safetensors", "counting")
    assert (found.descriptor.name, found.plugin) == ("safetensors-to-counting", "camelid_converters")


def test_camelid_converter(plugins, tmp_path):
    """What it writes is a model of the snippet that loads."""
    host = plugins("camelid_converter", "camelid_load_model")
    source = tmp_path / "source"
    source.mkdir()
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header = json.dumps({"__metadata__": {}, "one": tensor, "two": tensor}).encode()
    (source / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    target = tmp_path / "target"
    task = ConversionTask("safetensors-to-counting", folder=str(source), target=str(target))
    reports = []
    converter = host.converter("camelid_converter", task.converter)
    converter.convert(task, lambda done, total: reports.append((done, total)))
    assert reports == [(1, 1)]
    model = host.load_model("camelid_load_model", _artifact(tmp_path, target.read_text()), OPTIONS)
    assert model.step == 2
    (source / "model.safetensors").write_bytes(bytes(range(100)))
    with pytest.raises(InvalidModelFileError, match=r"model\.safetensors"):
        converter.convert(task, lambda done, total: None)


def test_camelid_registries(plugins, tmp_path, monkeypatch):
    monkeypatch.setenv("SHELF_FOLDER", str(tmp_path))
    (registry,) = plugins("camelid_registries").catalog.registries
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    found = registry.resolve(ModelName.parse("shelf/tiny"))
    (layer,) = found.layers
    assert layer.blob.path.read_bytes() == b"GGUF"
    assert registry.resolve(ModelName.parse("shelf/other")) is None
    assert registry.resolve(ModelName.parse("tiny")) is None


def test_camelid_answer_formats(plugins):
    formats = plugins("camelid_answer_formats").catalog.answer_formats
    assert choose_format("{{ .Tools }} <plan> <do>", formats=formats).name == "do"
    known = choose_format("", "do", formats).descriptor
    said = 'Let me look. <do>{"name": "rain", "arguments": {"city": "Bonn"}}</do> <do>no call</do>'
    for size in (1, 7, len(said)):
        parser = known.calls([Tool(type="function", function=Function(name="rain"))])
        pieces = [piece for start in range(0, len(said), size) for piece in parser.feed(said[start : start + size])]
        pieces += parser.finish()
        calls = [call.function for piece in pieces for call in piece.calls]
        assert [(call.name, call.arguments) for call in calls] == [("rain", {"city": "Bonn"})]
        assert "no call" in "".join(piece.content for piece in pieces)


async def test_camelid_placements(plugins, tmp_path):
    """A worker runs there, in a process that lets others go first, and its end is noticed."""
    import psutil

    placement = plugins("camelid_placements").catalog.placement("nice")
    path = tmp_path / "echo"
    path.write_text('{"camelid_backend": "echo"}')
    artifact = ModelArtifact(name="camelid/echo", format="echo", files=(ModelFile(path=str(path)),))
    client = await WorkerClient.start(placement, WorkerSpec("echo", "echo", artifact, OPTIONS), timeout=60)
    said = [delta.text async for delta in client.generate(Submit(0, "one worker"))]
    assert "".join(said) == "one worker"
    assert psutil.Process(client.pid).nice() == 10
    client.kill()
    assert "status -9" in await client.ended
