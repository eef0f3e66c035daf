import json

import pytest

from camelid.errors import (
    RegistryError,
    RemoteModelError,
    RequestError,
    StoreError,
    UnsupportedCapabilityError,
)
from camelid.plugins.catalog import Catalog, RegisteredBackend
from camelid.services.create import Create
from camelid.services.create_request import CreateRequest
from camelid.store import media_types
from camelid.store.digests import digest_of
from camelid.store.store import Store
from camelid.store.stored import StoredModel
from camelid.types.artifact import FileRole
from camelid.types.descriptor import BackendDescriptor
from camelid.types.messages import Message
from camelid.types.names import ModelName

ECHO = b'{"camelid_backend": "echo"}\n'


async def statuses(create: Create, **fields: object) -> list[str]:
    return [line.status async for line in create(CreateRequest(**{"model": "new", **fields}))]


def found(store: Store, name: str = "new") -> StoredModel:
    model = store.find(ModelName.parse(name))
    assert model is not None
    return model


async def test_a_gguf_file_becomes_a_model(create, store, upload):
    digest = upload()
    lines = await statuses(create, files={"tiny.gguf": digest}, template="{{ .Prompt }}", system="Be kind.")
    assert lines == [
        "parsing GGUF",
        f"using existing layer {digest}",
        f"creating new layer {digest_of(b'{{ .Prompt }}')}",
        f"creating new layer {digest_of(b'Be kind.')}",
        "writing manifest",
        "success",
    ]
    model = found(store)
    assert model.artifact.model.digest == digest
    assert (model.template, model.system, model.parent) == ("{{ .Prompt }}", "Be kind.", "")
    assert json.loads(store.blobs.read(model.manifest.config.digest, 10_000)) == {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "model_type": "19K",
        "file_type": "Q4_K_M",
        "context_length": 512,
        "embedding_length": 64,
        "architecture": "amd64",
        "os": "linux",
    }


async def test_each_file_becomes_the_layer_it_is_made_for(create, store, upload):
    files = {
        "eyes": upload("a.gguf", architecture="clip", **{"clip.has_vision_encoder": True}),
        "lora": upload("b.gguf", **{"general.type": "adapter"}),
        "eyes-too": upload("c.gguf", **{"general.type": "mmproj"}),
        "model": upload("d.gguf", **{"general.type": "model"}),
    }
    await statuses(create, files=files)
    assert [(file.role, file.digest) for file in found(store).artifact.files] == [
        (FileRole.PROJECTOR, files["eyes"]),
        (FileRole.ADAPTER, files["lora"]),
        (FileRole.PROJECTOR, files["eyes-too"]),
        (FileRole.MODEL, files["model"]),
    ]
    assert found(store).config.model_families == ("clip", "llama")
    assert found(store).config.model_family == "llama"


async def test_a_description_becomes_a_model_of_the_format_it_names(create, store):
    digest = store.blobs.put(b'{"camelid_backend": "strange"}')
    assert (await statuses(create, files={"m.json": digest}))[0] == "parsing strange model"
    model = found(store)
    assert (model.artifact.format, model.config.model_format) == ("strange", "strange")
    assert model.artifact.model.digest == digest


async def test_a_model_inherits_from_its_base(create, store, add_model):
    add_model(
        "base:v1", system="old", params={"top_k": 5, "stop": ["a", "b"]}, messages=[{"role": "user", "content": "x"}]
    )
    lines = await statuses(
        create,
        from_="BASE:v1",
        system="new",
        parameters={"stop": ["c"], "temperature": 0.5, "seed": None},
        licenses=("MIT",),
    )
    assert [line.split(" sha256")[0] for line in lines] == [
        "using existing layer",
        "using existing layer",
        "using existing layer",
        "creating new layer",
        "creating new layer",
        "creating new layer",
        "writing manifest",
        "success",
    ]
    base, model = found(store, "base:v1"), found(store)
    assert model.artifact.files == base.artifact.files
    assert (model.parent, model.template, model.system) == ("base:v1", base.template, "new")
    assert model.params == {"stop": ["c"], "temperature": 0.5, "top_k": 5}
    assert model.messages == (Message(role="user", content="x"),)
    assert model.licenses == ("MIT",)
    assert model.config == base.config
    (params,) = model.manifest.of_type(media_types.PARAMS)
    assert store.blobs.read(params.digest, 1000) == b'{"stop":["c"],"temperature":0.5,"top_k":5}\n'


async def test_messages_replace_those_of_the_base(create, store, add_model):
    add_model("base", messages=[{"role": "user", "content": "old"}])
    messages = (Message(role="user", content="hi"), Message(role="assistant", content="ho", thinking="hm"))
    await statuses(create, from_="base", messages=messages)
    model = found(store)
    assert model.messages == (Message(role="user", content="hi"), Message(role="assistant", content="ho"))
    (layer,) = model.manifest.of_type(media_types.MESSAGES)
    assert store.blobs.read(layer.digest, 1000) == (
        b'[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]\n'
    )


async def test_a_base_that_is_not_here_is_fetched(create, store):
    lines = await statuses(create, from_="far")
    assert lines[0] == "pulling manifest"
    assert lines.count("success") == 1
    assert found(store).parent == "far:latest"
    with pytest.raises(RegistryError, match="file does not exist"):
        await statuses(create, model="other", from_="nowhere")


async def test_an_adapter_and_a_draft_are_added_to_the_base(create, store, upload):
    await statuses(create, model="base", files={"m.gguf": upload("m.gguf")})
    lora, draft = upload("l.gguf", **{"general.type": "adapter"}), upload("d.gguf", **{"general.name": "draft"})
    await statuses(create, from_="base", adapters={"l.gguf": lora}, draft_files={"d.gguf": draft})
    artifact = found(store).artifact
    assert [file.digest for file in artifact.with_role(FileRole.ADAPTER)] == [lora]
    assert [file.digest for file in artifact.with_role(FileRole.DRAFT)] == [draft]
    with pytest.raises(RequestError, match="the adapter file is not a GGUF adapter"):
        await statuses(create, from_="base", adapters={"l.gguf": draft})


async def test_words_of_the_request_go_into_the_config(create, store, add_model):
    add_model("base", renderer="inherited", parser="inherited", capabilities=["tools"])
    info = {
        "capabilities": ["vision", "tools"],
        "model_family": "camelid",
        "base_name": "Base",
        "quantization_level": "Q9",
        "parameter_size": "7B",
        "context_length": 99.0,
        "embedding_length": 7,
        "unknown": object,
    }
    await statuses(create, from_="base", parser="own", requires="0.14.0", info=info)
    config = found(store).config
    assert (config.renderer, config.parser, config.requires) == ("inherited", "own", "0.14.0")
    assert config.capabilities == ("tools", "vision")
    assert (config.model_family, config.model_families, config.base_name) == ("camelid", ("camelid",), "Base")
    assert (config.file_type, config.model_type) == ("Q9", "7B")
    assert (config.context_length, config.embedding_length) == (99, 7)


async def test_an_existing_model_is_replaced_and_its_blobs_go(create, store, add_model):
    add_model("new", system="old")
    add_model("base")
    await statuses(create, model="NEW", from_="base", system="fresh")
    assert found(store).system == "fresh"
    assert not store.blobs.has(digest_of(b"old"))
    assert len(store.list()) == 2


async def test_a_failure_leaves_the_existing_model_alone(create, store, add_model):
    add_model("new", system="old")
    before = found(store)
    digest = store.blobs.put(b"GGUF and then nothing")
    with pytest.raises(RequestError):
        await statuses(create, files={"m.gguf": digest})
    assert found(store) == before


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"model": ""}, RequestError("invalid model name")),
        ({"model": "a//b", "from_": "base"}, RequestError("invalid model name")),
        ({"model": "../x", "from_": "base"}, RequestError("invalid model name")),
        ({}, RequestError("neither 'from' or 'files' was specified")),
        ({"files": {}}, RequestError("no files provided to convert")),
        ({"files": {"../m.gguf": digest_of(b"")}}, RequestError("file path must be relative")),
        ({"files": {"/m.gguf": digest_of(b"")}}, RequestError("file path must be relative")),
        ({"files": {"C:\\m.gguf": digest_of(b"")}}, RequestError("file path must be relative")),
        ({"files": {"": digest_of(b"")}}, RequestError("file path must be relative")),
        ({"files": {"m.gguf": ""}}, RequestError("invalid digest format")),
        ({"files": {"m.gguf": "sha256:../../x"}}, RequestError("invalid digest format")),
        (
            {"from_": "base", "adapters": {"a": digest_of(b""), "b": digest_of(b"")}},
            RequestError("only one adapter is currently supported"),
        ),
        ({"from_": "base", "draft_quantize": "Q8_0"}, RequestError("--draft-quantize requires a DRAFT model")),
        (
            {"from_": "base", "info": {"context_length": -1}},
            RequestError('info field "context_length" must be a non-negative integer'),
        ),
        (
            {"from_": "base", "info": {"context_length": 1.5}},
            RequestError('info field "context_length" must be a non-negative integer'),
        ),
        (
            {"from_": "base", "info": {"embedding_length": "7"}},
            RequestError('info field "embedding_length" must be a number'),
        ),
        (
            {"from_": "base", "info": {"embedding_length": True}},
            RequestError('info field "embedding_length" must be a number'),
        ),
        ({"from_": "base", "info": {"model_family": 7}}, RequestError('info field "model_family" must be a string')),
        (
            {"from_": "base", "parameters": {"num_ctx": "4096"}},
            RequestError('option "num_ctx" must be of type integer'),
        ),
        (
            {"from_": "base", "quantize": "Q3_X"},
            RequestError("unsupported quantization type Q3_X - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0"),
        ),
        ({"from_": "x:cloud"}, RemoteModelError("ollama cloud is disabled: remote model is unavailable")),
    ],
)
async def test_wrong_requests_are_refused_in_ollamas_words(create, store, add_model, fields, error):
    add_model("base")
    with pytest.raises(type(error)) as caught:
        await statuses(create, **fields)
    assert (str(caught.value), caught.value.status) == (str(error), error.status)
    assert len(store.list()) == 1


@pytest.mark.parametrize(
    "fields", [{"from_": "base", "template": "{{ .Prompt"}, {"from_": "base", "template": "{{ nope }}"}]
)
async def test_a_broken_template_is_refused(create, store, add_model, fields):
    add_model("base")
    with pytest.raises(RequestError, match=r"^template error: ."):
        await statuses(create, **fields)
    assert len(store.list()) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.gguf", bytes(range(256)) * 9, "supplied file was not in GGUF format"),
        ("m.gguf", b"", "supplied file was not in GGUF format"),
        ("m.gguf", ECHO, "supplied file was not in GGUF format"),
        ("m.gguf", b"GGUF" + bytes(range(256)) * 9, "supplied file was not in GGUF format: "),
        ("m.bin", b"GGUF\x03\0\0\0" + b"\xff" * 100, "supplied file was not in GGUF format: "),
        ("m.bin", bytes(range(256)) * 9, "unknown type"),
        ("m.json", b'{"other": 1}', "unknown type"),
        ("m", b"", "unknown type"),
    ],
)
async def test_files_that_are_no_model_are_refused(create, store, name, content, message):
    digest = store.blobs.put(content)
    with pytest.raises(RequestError) as caught:
        await statuses(create, files={name: digest})
    assert str(caught.value).startswith(message)
    assert caught.value.status == 400
    assert store.list() == []


@pytest.mark.parametrize(
    ("name", "model_format"), [("m.toy", "toy"), ("M.TOY", "toy"), ("m.big.toy", "big"), ("m.toy.json", "echo")]
)
async def test_a_file_with_an_ending_that_a_backend_knows_has_its_format(create, store, name, model_format):
    descriptor = BackendDescriptor(
        "toy", frozenset({"toy", "big"}), frozenset(), endings={".toy": "toy", ".big.toy": "big"}
    )
    create._catalog = Catalog({"toy": RegisteredBackend(descriptor, "toy", "dist-toy")})
    lines = await statuses(create, files={name: store.blobs.put(ECHO)})
    assert lines[0] == f"parsing {model_format} model"
    assert found(store).artifact.format == model_format


async def test_a_file_without_a_name_has_the_format_of_the_model_that_has_it(create, store):
    """So the Modelfile that is shown of a model makes it again."""
    descriptor = BackendDescriptor("toy", frozenset({"toy"}), frozenset(), endings={".toy": "toy"})
    create._catalog = Catalog({"toy": RegisteredBackend(descriptor, "toy", "dist-toy")})
    digest = store.blobs.put(b"a toy")
    await statuses(create, files={"m.toy": digest})
    assert (await statuses(create, files={digest.replace(":", "-"): digest}))[0] == "parsing toy model"
    assert found(store).artifact.format == "toy"


async def test_no_ending_makes_another_format_of_gguf(create, store, upload):
    descriptor = BackendDescriptor("toy", frozenset({"toy"}), frozenset(), endings={".gguf": "toy"})
    create._catalog = Catalog({"toy": RegisteredBackend(descriptor, "toy", "dist-toy")})
    assert (await statuses(create, files={"m.gguf": upload()}))[0] == "parsing GGUF"


async def test_a_truncated_file_is_refused(create, store, make_gguf):
    content = make_gguf().read_bytes()
    digest = store.blobs.put(content[: len(content) // 2])
    with pytest.raises(RequestError, match="truncated"):
        await statuses(create, files={"m.gguf": digest})


async def test_nothing_is_forwarded_to_other_hosts(create, store):
    with pytest.raises(UnsupportedCapabilityError, match="remote_host"):
        await statuses(create, from_="base", remote_host="http://x")
    assert store.list() == []


async def test_a_file_that_was_not_uploaded_is_named(create, store):
    digest = digest_of(b"never uploaded")
    with pytest.raises(StoreError, match=digest) as caught:
        await statuses(create, files={"m.gguf": digest})
    assert caught.value.status == 500


async def test_a_stub_of_a_remote_model_cannot_be_a_base(create, add_model):
    add_model("stub", remote_host="https://ollama.com:443", remote_model="big")
    with pytest.raises(RemoteModelError):
        await statuses(create, from_="stub")


async def test_files_without_weights_are_refused(create, upload):
    with pytest.raises(RequestError, match="no model among the files"):
        await statuses(create, files={"l.gguf": upload(**{"general.type": "adapter"})})
