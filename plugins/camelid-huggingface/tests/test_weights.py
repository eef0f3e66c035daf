import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.errors import RegistryError
from camelid_huggingface.quantization import find_quantization
from camelid_huggingface.repository import RepositoryFile
from camelid_huggingface.weights import choose_projector, choose_weights, list_candidates


def chosen(files: dict[str, int] | list[str], tag: str = "latest") -> str:
    sizes = files if isinstance(files, dict) else dict.fromkeys(files, 1)
    candidates = list_candidates([RepositoryFile(path, size) for path, size in sizes.items()])
    return choose_weights(candidates, tag).files[0].path


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Llama-3.2-1B-Instruct-Q4_K_M", "Q4_K_M"),
        ("tinyllama-1.1b-chat.q5_0", "Q5_0"),
        ("model_Q3_K_XL", "Q3_K_XL"),
        ("DeepSeek-R1-UD-IQ1_S", "UD-IQ1_S"),
        ("Q8_0/model", "Q8_0"),
        ("BF16/model-Q6_K", "Q6_K"),
        ("model-fp16", "F16"),
        ("model.f32", "F32"),
        ("gpt-oss-20b-mxfp4", "MXFP4"),
        ("gpt-oss-MXFP4_MOE", "MXFP4_MOE"),
        ("bitnet-TQ1_0", "TQ1_0"),
        ("model-Q4_0_4_8", "Q4_0_4_8"),
        ("model-IQ4_NL", "IQ4_NL"),
        ("model-Q4_K_Medium", "Q4_K"),
        ("Qwen2-7B-Instruct", "None"),
        ("q88", "None"),
        ("", "None"),
    ],
)
def test_names_speak_of_quantizations(name, label):
    assert str(find_quantization(name)) == label


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"m-Q8_0.gguf": 8, "m-Q4_K_M.gguf": 4, "m-Q2_K.gguf": 2}, "m-Q4_K_M.gguf"),
        ({"m-Q8_0.gguf": 8, "m-Q4_K_S.gguf": 4, "m-Q2_K.gguf": 2}, "m-Q4_K_S.gguf"),
        ({"m-F16.gguf": 16, "m-Q8_0.gguf": 8, "m-Q3_K_L.gguf": 3}, "m-Q8_0.gguf"),
        ({"m-Q2_K.gguf": 2, "m-IQ3_M.gguf": 3, "m-IQ1_S.gguf": 1}, "m-IQ3_M.gguf"),
        ({"b.gguf": 2, "a.gguf": 3}, "b.gguf"),
        ({"m.gguf": 1, "m-Q8_0.gguf": 8}, "m-Q8_0.gguf"),
        ({"m-UD-Q4_K_M.gguf": 3, "m-Q4_K_M.gguf": 4}, "m-Q4_K_M.gguf"),
        ({"m-UD-Q4_K_M.gguf": 3, "m-Q8_0.gguf": 8}, "m-UD-Q4_K_M.gguf"),
        ({"x/m-Q4_K_M-00001-of-00001.gguf": 4, "m-Q4_K_M.gguf": 4}, "m-Q4_K_M.gguf"),
        ({"m-Q4_K_M-abliterated.gguf": 4, "m-Q4_K_M.gguf": 4}, "m-Q4_K_M.gguf"),
        ({"mmproj-Q4_K_M.gguf": 1, "m.Q4_K_M.gguf": 4, "m.imatrix.gguf": 1}, "m.Q4_K_M.gguf"),
        ({"ggml-vocab-llama.gguf": 1, "m.gguf": 4}, "m.gguf"),
        ({"M.Q4_K_M.GGUF": 4}, "M.Q4_K_M.GGUF"),
    ],
)
def test_the_default_is_a_sensible_size(files, path):
    assert chosen(files) == path


@pytest.mark.parametrize(
    ("tag", "path"),
    [
        ("Q4_K_M", "m-Q4_K_M.gguf"),
        ("q4_k_m", "m-Q4_K_M.gguf"),
        ("Q4_K_XL", "m-UD-Q4_K_XL.gguf"),
        ("UD-Q4_K_XL", "m-UD-Q4_K_XL.gguf"),
        ("fp16", "m.f16.gguf"),
        ("m-q4_k_m.gguf", "m-Q4_K_M.gguf"),
        ("m-Q4_K_M", "m-Q4_K_M.gguf"),
        ("chat", "m-chat.gguf"),
        ("Q8_0", "Q8_0/m-00001-of-00002.gguf"),
        ("m-00002-of-00002.gguf", "Q8_0/m-00001-of-00002.gguf"),
    ],
)
def test_a_tag_means_a_file(tag, path):
    files = ["m-Q4_K_M.gguf", "m-UD-Q4_K_XL.gguf", "m.f16.gguf", "m-chat.gguf"]
    pieces = ["Q8_0/m-00002-of-00002.gguf", "Q8_0/m-00001-of-00002.gguf"]
    assert chosen([*files, *pieces], tag) == path


@pytest.mark.parametrize("tag", ["Q4", "Q4_K", "K_M", "cha", "m", "gguf"])
def test_half_a_word_means_nothing(tag):
    with pytest.raises(RegistryError, match=f"has no {tag}; it has"):
        chosen(["model-Q4_K_M.gguf", "model-chat.gguf"], tag)


def test_missing_pieces_are_counted():
    with pytest.raises(RegistryError, match=r'split GGUF "m-00001-of-00003.gguf" has 2 shards, expected 3'):
        chosen(["m-00001-of-00003.gguf", "m-00003-of-00003.gguf"])


@pytest.mark.parametrize(
    ("projectors", "path"),
    [
        (["mmproj-BF16.gguf", "mmproj-F16.gguf"], "mmproj-F16.gguf"),
        (["mmproj-F32.gguf", "mmproj-BF16.gguf"], "mmproj-BF16.gguf"),
        (["m.mmproj-Q8_0.gguf", "mmproj-Q4_0.gguf"], "m.mmproj-Q8_0.gguf"),
        (["other/mmproj-F16.gguf", "mmproj-F32.gguf"], "mmproj-F32.gguf"),
        (["other/mmproj-F16.gguf"], "other/mmproj-F16.gguf"),
        ([], None),
    ],
)
def test_the_projector_has_16_bits_if_there_is_a_choice(projectors, path):
    files = [RepositoryFile(name, 1) for name in ("m-Q4_K_M.gguf", *projectors)]
    weights = choose_weights(list_candidates(files), "latest")
    projector = choose_projector(files, weights)
    assert (projector and projector.path) == path


@given(
    st.lists(st.from_regex(r"[a-z0-9_./-]{1,30}(\.gguf)?", fullmatch=True), max_size=10),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", fullmatch=True),
)
def test_whatever_the_names_are_one_of_them_or_none_is_chosen(paths, tag):
    candidates = list_candidates([RepositoryFile(path, 1) for path in paths])
    if not candidates:
        return
    try:
        found = choose_weights(candidates, tag)
    except RegistryError:
        return
    assert found in candidates
    assert all(file.path in paths for file in found.files)
