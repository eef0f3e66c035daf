"""Making models of files that must be converted, merged or quantized first. The converters are toys, whose files say
what they were made of.
"""

import asyncio
import json
from contextlib import aclosing

import gguf
import numpy as np
import pytest

from camelid.errors import (
    CamelidError,
    DiskFullError,
    PluginError,
    RequestError,
    StoreError,
    UnsupportedCapabilityError,
)
from camelid.services.create import Create
from camelid.services.create_request import CreateRequest
from camelid.store import media_types, workplace
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig
from camelid.store.gguf import read_header
from camelid.store.leases import FOLDER
from camelid.types.artifact import FileRole
from camelid.types.names import ModelName

NO_BLOB = "0000000000000000000"


@pytest.fixture
def safetensors(store):
    """Uploads a model as folders on Hugging Face have it; what its config says is what the toy converter does."""

    def upload(**config: object) -> dict[str, str]:
        return {
            "model-00001-of-00002.safetensors": store.blobs.put(b"weights" * 1000),
            "model-00002-of-00002.safetensors": store.blobs.put(b"more weights"),
            "config.json": store.blobs.put(json.dumps(config).encode()),
            "2_Dense/config.json": store.blobs.put(b"{}"),
        }

    return upload


@pytest.fixture
def pieces(store, tmp_path):
    """Uploads a GGUF model in pieces; its files by name."""

    def upload(count=2, *, stated=None, numbers=None, names=None) -> dict[str, str]:
        files = {}
        for place in range(count):
            writer = gguf.GGUFWriter(path := tmp_path / f"{place}.gguf", "llama")
            writer.add_uint16("split.count", count if stated is None else stated)
            if numbers is None or numbers[place] is not None:
                writer.add_uint16("split.no", place if numbers is None else numbers[place])
            writer.add_tensor(f"t{place}", np.full(32, place, np.float32))
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            name = names[place] if names else f"sub/m-{place + 1:05}-of-{count:05}.gguf"
            files[name] = store.blobs.put(path.read_bytes())
        return files

    return upload


async def made(create: Create, **fields: object) -> list[str]:
    """What is done, step by step."""
    steps: list[str] = []
    async for line in create(CreateRequest(**{"model": "new", **fields})):
        step = line.status.partition(" sha256")[0]
        if not line.total or steps[-1:] != [step]:
            steps.append(step)
    return steps


def found(store, name="new"):
    model = store.find(ModelName.parse(name))
    assert model is not None
    return model


def origin(store, role=FileRole.MODEL) -> str:
    """What the file of the new model says that it was made of."""
    [file] = found(store).artifact.with_role(role)
    return read_header(store.blobs.path(file.digest)).text("toy.made")


def litter(store) -> list[str]:
    """What is in the folder of the blobs and no blob."""
    return [path.name for path in store.blobs.folder.iterdir() if not path.name.startswith(("sha256-", FOLDER))]


async def test_safetensors_are_converted(create, store, safetensors):
    files = safetensors()
    assert await made(create, files=files, system="Be kind.") == [
        "converting model",
        "verifying conversion",
        "creating new layer",
        "creating new layer",
        "writing manifest",
        "success",
    ]
    assert origin(store) == (
        "toy-import : 2_Dense/config.json config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors"
    )
    model = found(store)
    assert (model.config.model_format, model.config.model_family, model.config.file_type) == ("gguf", "llama", "F16")
    assert litter(store) == []


async def test_progress_is_told_in_bytes_of_the_source(create, safetensors):
    lines = [line async for line in create(CreateRequest(model="new", files=safetensors()))]
    converting = [line for line in lines if line.status == "converting model"]
    assert {line.total for line in converting} == {7016}
    assert converting[-1].completed == 7016
    assert {line.digest for line in converting} == {""}


async def test_a_converted_model_is_quantized_and_nothing_in_between_stays(create, store, safetensors):
    files = safetensors()
    lines = await made(create, files=files, quantize="q4_k")
    assert lines[:2] == ["converting model", "verifying conversion"]
    assert lines[2:] == ["quantizing F16 model to Q4_K_M", "creating new layer", "writing manifest", "success"]
    assert origin(store) == "toy-quantize Q4_K_M: model.gguf"
    assert found(store).config.file_type == "Q4_K_M"
    blobs = {path.name.replace("-", ":") for path in store.blobs.folder.glob("sha256-*")}
    assert blobs == {*files.values(), *found(store).manifest.digests}


async def test_a_type_that_the_converter_writes_itself_needs_no_second_step(create, store, safetensors):
    assert "quantizing F16 model to F32" not in await made(create, files=safetensors(), quantize="F32")
    assert origin(store).startswith("toy-import F32: ")


async def test_a_source_that_is_quantized_in_its_own_way_is_converted_anew(create, store, safetensors):
    files = safetensors(type="Q8_0")
    await made(create, files=files)
    assert found(store).config.file_type == "Q8_0"
    lines = await made(create, files=files, quantize="Q8_0")
    assert not any(line.startswith("quantizing") for line in lines)
    assert "quantizing F16 model to Q4_K_S" in await made(create, files=files, quantize="Q4_K_S")
    assert found(store).config.file_type == "Q4_K_S"


async def test_an_uploaded_file_is_quantized(create, store, upload):
    digest = upload(**{"general.file_type": 1})
    lines = [line async for line in create(CreateRequest(model="new", files={"m.gguf": digest}, quantize="Q8_0"))]
    size = store.blobs.size(digest)
    quantizing = [line for line in lines if line.status == "quantizing F16 model to Q8_0"]
    assert {(line.digest, line.total) for line in quantizing} == {(NO_BLOB, size)}
    assert quantizing[-1].completed == size
    assert digest not in found(store).manifest.digests
    assert found(store).config.file_type == "Q8_0"


async def test_a_base_is_quantized_and_the_rest_is_inherited(create, store, upload):
    await made(create, model="base", files={"m.gguf": upload(**{"general.file_type": 32})}, system="Be kind.")
    lines = await made(create, from_="base", quantize="Q4_K_M")
    assert lines[0] == "quantizing BF16 model to Q4_K_M"
    base, model = found(store, "base"), found(store)
    assert (model.system, model.config.file_type, base.config.file_type) == ("Be kind.", "Q4_K_M", "BF16")
    assert [layer.media_type for layer in model.manifest.layers] == [layer.media_type for layer in base.manifest.layers]
    assert [layer.from_ for layer in model.manifest.layers] == ["", "base:latest"]
    assert origin(store) == "toy-quantize Q4_K_M: model.gguf"


async def test_equal_types_need_no_work(create, store, upload):
    digest = upload(**{"general.file_type": 15})
    lines = await made(create, files={"m.gguf": digest}, quantize="q4_k_m")
    assert not any(line.startswith("quantizing") for line in lines)
    assert found(store).artifact.model.digest == digest


async def test_only_models_that_are_not_quantized_can_be(create, store, upload, add_model):
    digest = upload(**{"general.file_type": 15})
    with pytest.raises(RequestError, match=r"^quantization is only supported for F16, BF16 and F32 models$"):
        await made(create, files={"m.gguf": digest}, quantize="Q8_0")
    with pytest.raises(RequestError, match=r"^draft quantization requires an unquantized draft model, got Q4_K_M$"):
        await made(
            create, files={"m.gguf": digest}, draft_files={"d.gguf": digest}, quantize="Q4_K_M", draft_quantize="Q8_0"
        )
    add_model("base")
    with pytest.raises(UnsupportedCapabilityError, match="a model of the format 'echo' cannot be quantized"):
        await made(create, from_="base", quantize="Q8_0")


@pytest.mark.parametrize("base", [False, True])
async def test_safetensors_become_the_named_layers_of_an_onnx_model(create, store, safetensors, base):
    made_of: dict[str, object] = {"files": safetensors()}
    if base:
        builder = ModelBuilder(store, ModelConfig(model_format="safetensors"))
        for name, digest in safetensors().items():
            builder.add_blob(media_types.MODEL if name.endswith(".safetensors") else media_types.JSON, digest, name)
        builder.write(ModelName.parse("raw"))
        builder.close()
        made_of = {"from_": "raw"}
    steps = await made(create, **made_of, format="onnx", quantize="int4", system="Be kind.")
    assert steps[:2] == ["converting model", "verifying conversion"]
    model = found(store)
    assert (model.config.model_format, model.config.model_family, model.system) == ("onnx", "llama", "Be kind.")
    files = {layer.name: layer.digest for layer in model.manifest.layers if layer.name}
    assert list(files) == ["model.onnx", "model.onnx.data", "genai_config.json", "tokenizer.json"]
    assert store.blobs.path(files["model.onnx"]).read_bytes() == b"graph INT4"
    assert litter(store) == []


async def test_a_folder_that_is_no_model_is_the_converters_fault(create, store, safetensors):
    with pytest.raises(PluginError, match="the converter toy-graph wrote what is no model") as caught:
        await made(create, files=safetensors(trouble="incomplete"), format="onnx")
    assert "tokenizer.json is missing" in caught.value.reason
    assert store.find(ModelName.parse("new")) is None
    assert litter(store) == []


async def test_formats_are_made_of_safetensors_alone(create, upload, safetensors):
    with pytest.raises(UnsupportedCapabilityError, match="only safetensors can be converted to onnx"):
        await made(create, files={"m.gguf": upload()}, format="onnx")
    with pytest.raises(UnsupportedCapabilityError, match="supported types for onnx are F32, INT4"):
        await made(create, files=safetensors(), format="onnx", quantize="Q8_0")
    with pytest.raises(RequestError, match="gguf or onnx, not to 'x'"):
        await made(create, files=safetensors(), format="x")


async def test_a_draft_is_converted_and_quantized_too(create, store, upload, safetensors):
    model = upload(**{"general.file_type": 15})
    lines = await made(create, files={"m.gguf": model}, draft_files=safetensors(), draft_quantize="Q4_K_S")
    assert "quantizing F16 model to Q4_K_S" in lines
    assert origin(store, FileRole.DRAFT) == "toy-quantize Q4_K_S: model.gguf"
    assert found(store).artifact.model.digest == model


async def test_an_adapter_is_converted_for_its_base(create, store, upload):
    base = upload(**{"general.file_type": 1})
    adapter = {
        "adapter_model.safetensors": store.blobs.put(b"low rank"),
        "adapter_config.json": store.blobs.put(b'{"r": 8}'),
    }
    lines = await made(create, files={"m.gguf": base}, adapters=adapter)
    assert lines[:3] == ["parsing GGUF", "converting adapter", "verifying conversion"]
    assert origin(store, FileRole.ADAPTER) == "toy-import : adapter_config.json adapter_model.safetensors"
    [file] = found(store).artifact.with_role(FileRole.ADAPTER)
    assert read_header(store.blobs.path(file.digest)).text("toy.base") == str(store.blobs.path(base))


async def test_an_adapter_needs_a_base_in_gguf(create, store, add_model):
    add_model("base")
    with pytest.raises(UnsupportedCapabilityError, match="GGUF"):
        await made(create, from_="base", adapters={"adapter_model.safetensors": store.blobs.put(b"low rank")})


async def test_pieces_are_merged(create, store, pieces):
    lines = await made(create, files=pieces(3))
    assert lines == [
        "parsing GGUF",
        "parsing GGUF",
        "parsing GGUF",
        "merging GGUF",
        "creating new layer",
        "writing manifest",
        "success",
    ]
    assert origin(store) == "toy-merge : m-00001-of-00003.gguf m-00002-of-00003.gguf m-00003-of-00003.gguf"


async def test_what_lies_beside_a_gguf_file_is_left_out(create, store, upload):
    other = store.blobs.put(b"{}")
    digest = upload()
    await made(create, files={"config.json": other, "m.gguf": digest, "tokenizer.model": other})
    assert [file.digest for file in found(store).artifact.files] == [digest]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"names": ["m-1.gguf", "m-2.gguf"]}, 'split GGUF "m-1.gguf" must use llama.cpp split filename pattern'),
        (
            {"stated": 3},
            'split GGUF "sub/m-00001-of-00002.gguf" filename count 2 does not match metadata count 3',
        ),
        (
            {"numbers": [0, 4]},
            'split GGUF "sub/m-00002-of-00002.gguf" filename index 2 does not match metadata index 5',
        ),
        ({"numbers": [0, None]}, 'split GGUF "sub/m-00002-of-00002.gguf" is missing split.no metadata'),
        (
            {"names": ["a-00001-of-00002.gguf", "b-00002-of-00002.gguf"]},
            'split GGUF "a-00001-of-00002.gguf" has 1 shards, expected 2',
        ),
    ],
)
async def test_pieces_that_do_not_belong_together_are_refused(create, store, pieces, fields, message):
    with pytest.raises(RequestError) as caught:
        await made(create, files=pieces(**fields))
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("trouble", "error", "message"),
    [
        ("architecture", UnsupportedCapabilityError, 'unsupported architecture "Toy"'),
        ("break", CamelidError, "toy-converters raised "),
        ("full", DiskFullError, "no space left"),
    ],
)
async def test_a_conversion_that_fails_leaves_nothing(create, store, safetensors, *, trouble, error, message):
    files = safetensors(trouble=trouble)
    before = sorted(store.blobs.folder.iterdir())
    with pytest.raises(error, match=message):
        await made(create, files=files)
    assert sorted(store.blobs.folder.iterdir()) == before
    assert store.list() == []


async def test_errors_of_adapters_are_the_clients(create, store, upload):
    adapter = {"adapter_model.safetensors": store.blobs.put(b""), "config.json": store.blobs.put(b'{"type": "F16"}')}
    adapter["config.json"] = store.blobs.put(b'{"trouble": "memory"}')
    with pytest.raises(RequestError, match="there is not enough memory to convert the model"):
        await made(create, files={"m.gguf": upload()}, adapters=adapter)


async def test_a_client_that_leaves_takes_the_conversion_with_it(create, store, safetensors):
    files = safetensors(trouble="slow")
    before = sorted(store.blobs.folder.iterdir())
    async with aclosing(create(CreateRequest(model="new", files=files))) as lines:
        async for line in lines:
            if line.completed:
                break
        assert [name.startswith(".making-") for name in litter(store)] == [True]
    assert sorted(store.blobs.folder.iterdir()) == before
    assert len(asyncio.all_tasks()) == 1


async def test_what_was_made_goes_if_a_later_step_fails(create, store, safetensors):
    files = safetensors()
    before = sorted(store.blobs.folder.iterdir())
    with pytest.raises(StoreError, match="upload it"):
        await made(create, files=files, adapters={"a.gguf": f"sha256:{'0' * 64}"})
    assert sorted(store.blobs.folder.iterdir()) == before


async def test_a_disk_without_room_is_noticed_before(create, store, safetensors, monkeypatch):
    files = safetensors()
    monkeypatch.setattr(workplace.Workplace, "free", 7015)
    with pytest.raises(DiskFullError, match=r"not enough space for the converted model: about 0\.0 GB are needed"):
        await made(create, files=files)


async def test_a_conversion_that_nobody_installed_says_what_to_install(create, store, upload):
    create._catalog.converters = ()
    with pytest.raises(UnsupportedCapabilityError, match="pip install camelid-gguf"):
        await made(create, files={"model.safetensors": store.blobs.put(b"x")})
    with pytest.raises(UnsupportedCapabilityError, match="pip install camelid-llamacpp"):
        await made(create, files={"m.gguf": upload(**{"general.file_type": 1})}, quantize="Q8_0")


async def test_a_name_cannot_be_a_file_and_a_folder(create, store):
    blob = store.blobs.put(b"x")
    with pytest.raises(RequestError, match="two files cannot both be called"):
        await made(create, files={"model.safetensors": blob, "a": blob, "a/b": blob})
