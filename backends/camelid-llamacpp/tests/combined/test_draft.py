import numpy as np
import pytest

from camelid.errors import InvalidModelFileError
from camelid_llamacpp.combined.draft import Draft
from camelid_llamacpp.combined.gguf_file import read_gguf
from camelid_llamacpp.combined.values import array_value, decimal_value, text_value, whole_value

ROWS = np.arange(8 * 32, dtype=np.float32).reshape(8, 32)
VALUES = {
    "old.heads": 4,
    "old.theta": 0.5,
    "other.heads": 5,
    "tokenizer.ggml.tokens": ["a", "bc", "", "[X]"],
    "tokenizer.ggml.scores": [0.0, 1.0, 2.0, 3.0],
}


@pytest.fixture
def draft(write):
    tensors = {"a.weight": ROWS, "b.weight": ROWS + 1000, "c.bias": ROWS[0], "d.weight": ROWS.astype(np.float16)}
    file = read_gguf(write("old", tensors, VALUES), "it")
    return Draft(file, file.metadata, file.tensors)


def tensors_of(reader) -> dict[str, np.ndarray]:
    return {tensor.name: np.array(tensor.data) for tensor in reader.tensors}


def test_nothing_changed_is_the_same_model(draft, written):
    reader = written(draft.assemble())
    assert tensors_of(reader).keys() == draft.tensors.keys()
    np.testing.assert_array_equal(tensors_of(reader)["b.weight"], ROWS + 1000)
    assert reader.fields["tokenizer.ggml.tokens"].contents() == VALUES["tokenizer.ggml.tokens"]


def test_an_architecture_takes_its_keys_along(draft, written):
    draft.call_architecture("young")
    fields = written(draft.assemble()).fields
    assert fields["general.architecture"].contents() == "young"
    assert (fields["young.heads"].contents(), fields["other.heads"].contents()) == (4, 5)
    assert "old.heads" not in fields


def test_keys_are_said_again_or_said_at_last(draft):
    draft.copy("old.heads", "old.eyes")
    draft.copy("old.nothing", "old.legs")
    draft.default("old.heads", whole_value(9))
    draft.default_decimal("old.weight", 2.5)
    assert (draft.whole("old.eyes"), draft.whole("old.heads"), draft.decimal("old.weight")) == (4, 4, 2.5)
    assert draft.whole("old.legs") is None
    assert draft.whole("general.architecture") is None


@pytest.mark.parametrize(
    "value", [decimal_value(float("nan")), array_value(4, [1, 2]), text_value("1"), whole_value(0)]
)
def test_odd_values_are_no_whole_numbers(draft, value):
    draft.metadata["x"] = value
    assert draft.whole("x") in (None, 0)


def test_tensors_are_called_differently(draft):
    draft.rename((".weight", ".w"), ("a.", "first."))
    assert [*draft.tensors] == ["first.w", "b.w", "c.bias", "d.w"]
    with pytest.raises(InvalidModelFileError, match="two of its tensors are one"):
        draft.rename(("first", "b"))


def test_matrices_are_joined_if_they_fit(draft, written):
    draft.join("ad", ["a.weight", "d.weight"])
    draft.join("ax", ["a.weight", "x.weight"])
    assert {"ad", "ax"}.isdisjoint(draft.tensors)
    draft.join("a.weight", ["b.weight", "a.weight"])
    found = tensors_of(written(draft.assemble()))
    np.testing.assert_array_equal(found["a.weight"], np.concatenate([ROWS + 1000, ROWS]))
    assert "b.weight" not in found


def test_matrices_and_vocabularies_are_cut(draft, written):
    draft.cut("a.weight", 3)
    draft.cut("c.bias", 1)
    draft.cut_vocabulary([2])
    reader = written(draft.assemble())
    np.testing.assert_array_equal(tensors_of(reader)["a.weight"], ROWS[:3])
    assert tensors_of(reader)["c.bias"].shape == (32,)
    assert reader.fields["tokenizer.ggml.tokens"].contents() == ["a", "bc"]
    assert reader.fields["tokenizer.ggml.scores"].contents() == [0.0, 1.0]
    draft.cut_vocabulary([9])
    assert written(draft.assemble()).fields["tokenizer.ggml.tokens"].contents() == ["a", "bc"]


def test_words_have_numbers_and_rows(draft, written):
    assert [draft.word_number(word) for word in ("a", "", "[X]", "X", "c")] == [0, 2, 3, None, None]
    draft.tensors = {"row": draft.source_row("b.weight", 3)}
    np.testing.assert_array_equal(tensors_of(written(draft.assemble()))["row"], ROWS[3] + 1000)
    assert [draft.source_row(*none) for none in (("b.weight", 8), ("x", 0), ("c.bias", 0), ("b.weight", None))] == [
        None
    ] * 4
