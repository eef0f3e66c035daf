import gguf

from camelid.types.element_types import ELEMENT_TYPES


def test_they_are_those_of_the_format():
    theirs = {kind.value: (kind.name, *gguf.GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType}
    assert theirs == ELEMENT_TYPES
