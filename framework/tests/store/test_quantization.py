import gguf

from camelid.store.quantization import FILE_TYPES, TENSOR_TYPES

_IRREGULAR = {"ALL_F32": "F32"}


def test_file_types_are_those_of_the_format():
    theirs = {kind.value: _IRREGULAR.get(kind.name, kind.name.removeprefix("MOSTLY_")) for kind in gguf.LlamaFileType}
    del theirs[gguf.LlamaFileType.GUESSED.value]
    assert theirs == FILE_TYPES


def test_tensor_types_are_those_of_the_format():
    theirs = {kind.value: (kind.name, *gguf.GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType}
    assert theirs == TENSOR_TYPES
