from camelid.cli.messages import Details, ShownModel, TensorEntry
from camelid.cli.show_page import show_page
from camelid.plugins.proofs import Standing

LLAMA = ShownModel(
    parameters='stop                           "<|im_end|>"\ntemperature                    0.2\n',
    system="You are short.\n\nYou are kind.\nYou are wise.",
    license="MIT License\nCopyright somebody",
    details=Details(family="llama", parameter_size="134.52M", quantization_level="Q4_1"),
    model_info={
        "general.architecture": "llama",
        "general.parameter_count": 134515008,
        "llama.context_length": 8192,
        "llama.embedding_length": 576,
        "tokenizer.ggml.tokens": ["a", "b", "c", "d", "e"],
        "tokenizer.ggml.scores": None,
        "tokenizer.ggml.add_bos_token": True,
    },
    tensors=(TensorEntry("token_embd.weight", "Q8_0", (576, 49152)),),
    capabilities=("completion", "tools"),
)


def test_sections_and_their_order():
    assert show_page(LLAMA) == (
        "  Model\n"
        "    architecture        llama\n"
        "    parameters          134.52M\n"
        "    context length      8192\n"
        "    embedding length    576\n"
        "    quantization        Q4_1\n"
        "\n"
        "  Capabilities\n"
        "    completion\n"
        "    tools\n"
        "\n"
        "  Parameters\n"
        '    stop           "<|im_end|>"\n'
        "    temperature    0.2\n"
        "\n"
        "  System\n"
        "    You are short.\n"
        "    You are kind.\n"
        "    ...\n"
        "\n"
        "  License\n"
        "    MIT License\n"
        "    Copyright somebody\n"
        "\n"
    )


def test_verbose_adds_metadata_and_tensors():
    page = show_page(LLAMA, verbose=True)
    assert "    tokenizer.ggml.tokens           [a b c ...+2 more]\n" in page
    assert "    tokenizer.ggml.add_bos_token    true\n" in page
    assert "  Tensors\n    token_embd.weight    Q8_0    [576 49152]\n" in page
    assert page.index("Metadata") < page.index("Tensors") < page.index("System")


def test_the_count_of_parameters_is_shown_where_no_size_is_given():
    page = show_page(ShownModel(model_info={"general.architecture": "x", "general.parameter_count": 8_030_261_248}))
    assert "    parameters      8.0B\n" in page


def test_a_model_nobody_knows_anything_of_is_an_empty_page():
    assert show_page(ShownModel()) == ""


def test_what_is_proven_of_the_backend():
    standing = Standing(
        verified=("completion",),
        failed=(),
        unproven=("vision",),
        failures=(),
        models=("echo",),
        checked_at="2026-11-30T02:00:00+00:00",
        stale=False,
    )
    page = show_page(ShownModel(backend="echo", backend_reason="it is there", backend_standing=standing))
    assert "    name       echo\n    because    it is there\n    proven     1 of 2 verified 2026-11-30\n" in page
