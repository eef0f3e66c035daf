import os
import time

import pytest

from camelid.errors import ModelNotFoundError, RemoteModelError, RequestError
from camelid.services.details import ModelDetails
from camelid.services.library import Library, ModelReport, ShowRequest
from camelid.services.loading import Models
from camelid.store import media_types
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig, complete_config
from camelid.store.gguf import read_header
from camelid.store.modelfile import parse
from camelid.store.store import Store
from camelid.types.capabilities import Capability
from camelid.types.messages import Message
from camelid.types.names import ModelName

JINJA = "{% for message in messages %}{{ message.content }}{% endfor %}{% if tools %}{{ tools }}{% endif %}"
GO_TOOLS = "{{ .Tools }}{{ range .Messages }}{{ .Content }}{{ .ToolCalls }}{{ .ToolName }}{{ end }}{{ .Suffix }}"


@pytest.fixture
def library(store: Store) -> Library:
    return Library(store)


@pytest.fixture
def add_gguf(store: Store, make_gguf):
    """Puts a GGUF model of several layers under a name."""

    def add(name: str, *layers: tuple[str, bytes], projector: dict[str, object] | None = None, **metadata: object):
        path = make_gguf(f"{name}.gguf", **metadata)
        config = complete_config(ModelConfig(model_format="gguf"), read_header(path))
        builder = ModelBuilder(store, config)
        builder.add_blob(media_types.MODEL, store.blobs.link(path))
        if projector is not None:
            eyes = make_gguf(f"{name}-mmproj.gguf", architecture="clip", **projector)
            builder.add_blob(media_types.PROJECTOR, store.blobs.link(eyes))
        for media_type, content in layers:
            builder.add(media_type, content)
        builder.write(ModelName.parse(name))

    return add


async def listed(library: Library) -> list[str]:
    return [row.model.name.short for row in await library.rows()]


async def show(library: Library, name: str, **more: object) -> ModelReport:
    return await library.show(ShowRequest(model=name, **more))


async def test_the_newest_model_is_listed_first(library, store, add_model):
    for age, name in enumerate(("new", "newer", "newest")):
        add_model(name)
        os.utime(store.root / "manifests/registry.ollama.ai/library" / name / "latest", (1000 + age, 1000 + age))
    assert await listed(library) == ["newest:latest", "newer:latest", "new:latest"]
    assert [row.model.name.short for row in await library.rows()] == ["newest:latest", "newer:latest", "new:latest"]


async def test_a_row_says_what_the_list_shows(library, add_gguf):
    add_gguf("tiny", **{"tokenizer.chat_template": JINJA})
    (row,) = await library.rows()
    assert row.details == ModelDetails(
        parent_model="",
        format="gguf",
        family="llama",
        families=("llama",),
        parameter_size="19K",
        quantization_level="Q4_K_M",
        context_length=512,
        embedding_length=64,
    )
    assert row.capabilities == (Capability.COMPLETION,)


async def test_rows_are_made_again_only_where_something_changed(library, store, add_gguf, monkeypatch):
    now = time.time_ns
    monkeypatch.setattr("camelid.store.store.time.time_ns", lambda: now() + 3_600_000_000_000)
    add_gguf("one")
    add_gguf("two", (media_types.TEMPLATE, GO_TOOLS.encode()))
    before = {row.model.name.short: row for row in await library.rows()}
    store.copy(ModelName.parse("two"), ModelName.parse("one"))
    after = {row.model.name.short: row for row in await library.rows()}
    assert after["two:latest"] is before["two:latest"]
    assert after["one:latest"].model.digest == after["two:latest"].model.digest
    assert Capability.TOOLS not in before["one:latest"].capabilities
    assert after["one:latest"].capabilities == (Capability.COMPLETION, Capability.TOOLS, Capability.INSERT)


async def test_what_the_config_does_not_say_the_header_does(library, store, make_gguf):
    builder = ModelBuilder(store, ModelConfig(model_format="gguf", file_type="unknown"))
    builder.add_blob(media_types.MODEL, store.blobs.link(make_gguf()))
    builder.write(ModelName.parse("old"))
    (row,) = await library.rows()
    assert row.details.quantization_level == "Q4_K_M"
    assert (row.details.context_length, row.details.embedding_length) == (512, 64)


async def test_a_model_is_shown_with_everything_it_has(library, add_gguf):
    add_gguf(
        "tiny",
        (media_types.TEMPLATE, b"{{ .System }} {{ .Prompt }}"),
        (media_types.SYSTEM, b"Be kind.\nBe brief."),
        (media_types.PARAMS, b'{"num_ctx":64,"stop":["<a>","<b>"]}\n'),
        (media_types.MESSAGES, b'[{"role":"user","content":"hi"}]\n'),
        (media_types.LICENSE, b"MIT"),
        (media_types.LICENSE, b"BSD"),
        **{"general.languages": ["en"], "llama.rope.freq_base": 10000.0},
    )
    report = await show(library, "TINY")
    assert report.license == "MIT\nBSD"
    assert report.parameters == (
        'num_ctx                        64\nstop                           "<a>"\nstop                           "<b>"'
    )
    assert report.template == "{{ .System }} {{ .Prompt }}"
    assert report.system == "Be kind.\nBe brief."
    assert report.messages == (Message(role="user", content="hi"),)
    assert report.capabilities == (Capability.COMPLETION,)
    assert [(tensor.name, tensor.type, tensor.shape) for tensor in report.tensors] == [
        ("token_embd.weight", "F32", (64, 300)),
        ("output_norm.weight", "F16", (64,)),
    ]
    assert list(report.model_info) == sorted(report.model_info)
    assert report.model_info == {
        "general.architecture": "llama",
        "general.file_type": 15,
        "general.languages": None,
        "general.parameter_count": 300 * 64 + 64,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.block_count": 2,
        "llama.context_length": 512,
        "llama.embedding_length": 64,
        "llama.rope.freq_base": 10000.0,
        "tokenizer.ggml.token_type": None,
        "tokenizer.ggml.tokens": None,
    }


async def test_the_modelfile_would_make_the_same_model_again(library, store, add_gguf):
    add_gguf(
        "tiny",
        (media_types.TEMPLATE, b'{{ .Prompt }}\n"quoted"\n'),
        (media_types.SYSTEM, b"Be kind."),
        (media_types.PARAMS, b'{"stop":["<a>"],"temperature":0.5}'),
        projector={"clip.has_vision_encoder": True},
    )
    report = await show(library, "tiny")
    model, projector = report.model.artifact.files
    lines = report.modelfile.split("\n")
    assert lines[:4] == [
        '# Modelfile generated by "ollama show"',
        "# To build a new Modelfile based on this, replace FROM with:",
        "# FROM tiny:latest",
        "",
    ]
    assert lines[4:6] == [f"FROM {model.path}", f"FROM {projector.path}"]
    parsed = parse(report.modelfile)
    assert parsed.from_ == (model.path, projector.path)
    assert (parsed.template, parsed.system) == (report.model.template, "Be kind.")
    assert parsed.parameters == {"stop": ["<a>"], "temperature": 0.5}


async def test_a_request_may_show_another_system_and_other_options(library, add_gguf):
    add_gguf("tiny", (media_types.SYSTEM, b"own"), (media_types.PARAMS, b'{"num_ctx":64,"top_k":3}'))
    report = await show(library, "tiny", system="asked for", options={"num_ctx": 128})
    assert report.system == "asked for"
    parsed = parse(report.modelfile)
    assert (parsed.system, parsed.parameters) == ("asked for", {"num_ctx": 128, "top_k": 3})
    assert report.parameters.split() == ["num_ctx", "64", "top_k", "3"]


async def test_arrays_are_shown_when_asked_for(library, add_gguf):
    add_gguf("tiny")
    info = (await show(library, "tiny", verbose=True)).model_info
    assert info["tokenizer.ggml.tokens"] == [f"<{place}>" for place in range(300)]
    assert info["tokenizer.ggml.token_type"] == [1] * 300


@pytest.mark.parametrize(
    ("template", "metadata", "expected"),
    [
        (None, {}, ("", {"completion"})),
        (None, {"tokenizer.chat_template": JINJA}, (JINJA, {"completion", "tools"})),
        ("{{ .Prompt }}", {"tokenizer.chat_template": JINJA}, (JINJA, {"completion", "tools"})),
        (GO_TOOLS, {"tokenizer.chat_template": JINJA}, (GO_TOOLS, {"completion", "tools", "insert"})),
        (None, {"llama.pooling_type": 1}, ("", {"embedding"})),
        (None, {"llama.vision.block_count": 2}, ("", {"completion"})),
        ("{{ .Prompt", {}, ("{{ .Prompt", {"completion"})),
    ],
)
async def test_the_template_in_use_decides_what_a_model_can_do(library, add_gguf, template, metadata, expected):
    layers = [] if template is None else [(media_types.TEMPLATE, template.encode())]
    add_gguf("tiny", *layers, **metadata)
    report = await show(library, "tiny")
    assert (report.template, {capability.value for capability in report.capabilities}) == expected
    assert len(await library.rows()) == 1


async def test_capabilities_stand_in_ollamas_order(library, add_gguf):
    add_gguf("native", **{"tokenizer.chat_template": JINJA + "<think></think>"})
    add_gguf("rendered", (media_types.TEMPLATE, GO_TOOLS.encode()))
    assert (await show(library, "native")).capabilities == ("tools", "thinking", "completion")
    assert (await show(library, "rendered")).capabilities == ("completion", "tools", "insert")


async def test_the_settings_may_prefer_one_language(store, models, add_gguf):
    add_gguf("tiny", (media_types.TEMPLATE, GO_TOOLS.encode()), **{"tokenizer.chat_template": JINJA})
    assert (await show(Library(store, prefer_go=False), "tiny")).template == JINJA
    assert (await models.find("tiny")).template.language == "go"
    assert (await Models(store, prefer_go=False).find("tiny")).template.language == "jinja"


async def test_a_projector_sees_and_is_shown(library, add_gguf):
    add_gguf("tiny", projector={"clip.has_audio_encoder": True})
    report = await show(library, "tiny")
    assert report.capabilities == (Capability.COMPLETION, Capability.VISION, Capability.AUDIO)
    assert report.projector_info["clip.has_audio_encoder"] is True


async def test_a_projector_in_the_models_own_file_needs_a_backend_that_uses_it(store, add_gguf):
    add_gguf("tiny", **{"llama.vision.block_count": 2, "llama.audio.block_count": 2})
    for sees_within, sees in (({"llama"}, True), ({"gemma3"}, False), ((), False)):
        library, models = Library(store, sees_within=sees_within), Models(store, sees_within=sees_within)
        (row,) = await library.rows()
        for able in (row, await show(library, "tiny"), await models.find("tiny")):
            assert (Capability.VISION in able.capabilities) is sees
            assert Capability.AUDIO not in able.capabilities


async def test_a_model_without_a_header_is_shown_by_its_config(library, add_model):
    add_model("echo", context_length=8192, base_name="Echo")
    report = await show(library, "echo")
    assert report.model_info == {
        "general.architecture": "echo",
        "general.basename": "Echo",
        "echo.context_length": 8192,
    }
    assert (report.tensors, report.projector_info) == ((), {})


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("", RequestError, "model is required"),
        ("a//b", RequestError, "invalid model name"),
        ("../../etc/passwd", RequestError, "invalid model name"),
        ("nope", ModelNotFoundError, "model 'nope:latest' not found"),
        ("bob/nope:1b", ModelNotFoundError, "model 'bob/nope:1b' not found"),
        ("x:cloud", RemoteModelError, "ollama cloud is disabled: remote model details are unavailable"),
    ],
)
async def test_what_cannot_be_shown_is_said_in_ollamas_words(library, name, kind, message):
    with pytest.raises(kind) as caught:
        await show(library, name)
    assert str(caught.value) == message


async def test_copies_and_deletions(library, add_model):
    add_model("echo")
    await library.copy("ECHO", "bob/second:v1")
    await library.copy("echo", "echo")
    assert set(await listed(library)) == {"echo:latest", "bob/second:v1"}
    await library.delete("echo:local")
    await library.delete("Bob/Second:V1")
    assert await listed(library) == []


async def test_stubs_of_cloud_models_can_be_deleted(library, add_model):
    add_model("stub:8b-cloud", content=b"")
    await library.delete("stub:8b:cloud")
    assert await listed(library) == []


async def test_sources_are_no_part_of_the_names_in_a_copy(library, add_model):
    add_model("echo", content=b"one")
    add_model("other", content=b"two")
    await library.copy("other", "echo:local")
    assert set(await listed(library)) == {"echo:latest", "other:latest", "echo:local"}
    with pytest.raises(RequestError, match='destination "echo:8b:cloud" is invalid'):
        await library.copy("other", "echo:8b:cloud")
    with pytest.raises(ModelNotFoundError, match='model "other:local" not found'):
        await library.copy("other:local", "x")


@pytest.mark.parametrize(
    ("source", "destination", "kind", "message"),
    [
        ("nope", "x", ModelNotFoundError, 'model "nope" not found'),
        ("a//b", "x", RequestError, 'source "a//b" is invalid'),
        ("", "x", RequestError, 'source "" is invalid'),
        ("nope", "x:", RequestError, 'destination "x:" is invalid'),
    ],
)
async def test_what_cannot_be_copied_is_said_in_ollamas_words(library, source, destination, kind, message):
    with pytest.raises(kind) as caught:
        await library.copy(source, destination)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("", RequestError, "model is required"),
        ("a//b", RequestError, 'name "a//b" is invalid'),
        ('a"\n', RequestError, r'name "a\"\n" is invalid'),
        ("a:local:cloud", RequestError, 'use either :local or :cloud, not both: "a:local:cloud"'),
        ("Nope", ModelNotFoundError, "model 'Nope' not found"),
    ],
)
async def test_what_cannot_be_deleted_is_said_in_ollamas_words(library, name, kind, message):
    with pytest.raises(kind) as caught:
        await library.delete(name)
    assert str(caught.value) == message
