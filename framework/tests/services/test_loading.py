import pytest
from msgspec.structs import replace

from camelid.contracts.answers.format import AnswerFormat
from camelid.errors import CamelidError, InvalidModelFileError, ModelError, ModelNotFoundError
from camelid.plugins.catalog import RegisteredAnswerFormat
from camelid.prompts.conversation import Conversation
from camelid.services.loading import Models
from camelid.store.manifest import Manifest
from camelid.store.store import Store
from camelid.types.artifact import FileRole
from camelid.types.capabilities import Capability
from camelid.types.names import ModelName
from camelid.types.options import parse_options


async def test_names_are_found_in_any_case_and_with_a_local_source(models: Models, add_model):
    add_model("Me/Echo:Small")
    for asked in ("me/echo:small", "Me/Echo:Small", "ME/ECHO:SMALL:local"):
        assert (await models.find(asked)).stored.name.short == "Me/Echo:Small"


async def test_what_is_missing_is_named_as_it_was_asked_for(models: Models):
    with pytest.raises(ModelNotFoundError) as caught:
        await models.find("Me/No")
    assert caught.value.message == "model 'Me/No' not found"
    with pytest.raises(ModelNotFoundError) as caught:
        await models.find("x", not_found='no "{name}"')
    assert caught.value.message == 'no "x"'


async def test_a_model_knows_how_to_be_loaded(models: Models, add_model):
    add_model(context_length=77)
    model = await models.find("echo")
    options = parse_options({"num_ctx": 5})
    wanted = model.load_request(options)
    assert (wanted.name, wanted.digest, wanted.options) == ("echo:latest", model.stored.digest, options)
    assert wanted.artifact.format == "echo"
    assert (wanted.trained_context, wanted.completion) == (77, True)


async def test_the_first_models_that_saw_are_not_loaded(models: Models, store: Store, add_model):
    add_model(model_families=["mllama"])
    model = await models.find("echo")
    assert model.load_request(parse_options({})).name == "echo:latest"
    (weights,) = model.stored.artifact.files
    seeing = replace(model.stored.artifact, files=(weights, replace(weights, role=FileRole.PROJECTOR)))
    model = replace(model, stored=replace(model.stored, artifact=seeing))
    with pytest.raises(ModelError, match="is no longer compatible with your version of Camelid"):
        model.load_request(parse_options({}))


async def test_two_names_of_one_model_share_what_is_known_of_it(models: Models, store: Store, add_model):
    add_model("one")
    store.copy(ModelName.parse("one"), ModelName.parse("two"))
    first, second = await models.find("one"), await models.find("two")
    assert (first.stored.name.model, second.stored.name.model) == ("one", "two")
    assert first.traits is second.traits


async def test_a_model_made_anew_is_known_anew(models: Models, add_model):
    add_model()
    assert (await models.find("echo")).capabilities == (Capability.COMPLETION,)
    add_model(template="{{ .Tools }}{{ .Prompt }}", capabilities=["embedding", "completion"])
    found = (await models.find("echo")).capabilities
    assert found == (Capability.EMBEDDING, Capability.COMPLETION, Capability.TOOLS)


async def test_a_model_without_weights_is_not_loaded(models: Models, store: Store, add_model):
    add_model()
    found = store.find(ModelName.parse("echo"))
    assert found is not None
    store.write(ModelName.parse("empty"), Manifest(config=found.manifest.config))
    with pytest.raises(InvalidModelFileError, match="empty:latest has no weights"):
        await models.find("empty")


async def test_a_gguf_file_that_is_none_is_an_error_with_a_sentence(models: Models, store: Store, add_model):
    add_model()
    found = store.find(ModelName.parse("echo"))
    assert found is not None
    add_model("broken", content=b"GGUF" + b"\xff" * 100)
    broken = store.find(ModelName.parse("broken"))
    assert broken is not None
    config = store.blobs.put(b'{"model_format": "gguf", "model_family": "llama"}')
    layer = Manifest(config=broken.manifest.config).config
    manifest = Manifest(config=type(layer)(layer.media_type, config, layer.size), layers=broken.manifest.layers)
    store.write(ModelName.parse("broken"), manifest)
    with pytest.raises(InvalidModelFileError):
        await models.find("broken")


async def test_a_model_that_lost_a_blob_says_so(models: Models, store: Store, add_model):
    add_model()
    found = store.find(ModelName.parse("echo"))
    assert found is not None
    store.blobs.path(found.artifact.model.digest).unlink()
    with pytest.raises(ModelNotFoundError, match=r'^model "Echo" not found, try pulling it first$'):
        await models.find("Echo")


async def test_a_template_that_is_none_is_an_error(models: Models, add_model):
    add_model(template="{{ if }}")
    with pytest.raises(CamelidError) as caught:
        await models.find("echo")
    assert caught.value.status == 500


@pytest.mark.parametrize(
    ("parser", "capabilities"),
    [
        ("qwen3-coder", [Capability.COMPLETION, Capability.TOOLS]),
        ("qwen3.5", [Capability.COMPLETION, Capability.TOOLS, Capability.THINKING]),
        ("olmo3-think", [Capability.COMPLETION, Capability.THINKING]),
        ("passthrough", [Capability.COMPLETION]),
        ("nobody's", [Capability.COMPLETION]),
    ],
)
async def test_the_parser_says_what_a_model_can_do(models: Models, add_model, parser, capabilities):
    add_model(parser=parser)
    assert list((await models.find("echo")).capabilities) == capabilities


async def test_a_plugins_format_counts(store: Store, add_model):
    known = AnswerFormat(name="arrow", capabilities=frozenset({Capability.THINKING}))
    add_model(parser="arrow")
    models = Models(store, formats=(RegisteredAnswerFormat(known, plugin="arrows", distribution="dist-arrows"),))
    assert (await models.find("echo")).capabilities == (Capability.COMPLETION, Capability.THINKING)


async def test_a_renderer_stands_in_for_a_template(models: Models, add_model):
    add_model("ours", template="{{ .Prompt }}", renderer="qwen3-coder")
    template = (await models.find("ours")).template
    assert template.language == "jinja"
    assert "<tool_call>" in template.source
    add_model("unknown", template="{{ .Prompt }}", renderer="unheard-of")
    with pytest.raises(ModelError, match='unknown renderer "unheard-of"'):
        (await models.find("unknown")).template.render(Conversation(prompt="Hi"))
