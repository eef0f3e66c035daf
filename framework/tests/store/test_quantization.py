import gguf

from camelid.store.quantization import FILE_TYPES

_IRREGULAR = {"ALL_F32": "F32"}


def test_file_types_are_those_of_the_format():
    theirs = {kind.value: _IRREGULAR.get(kind.name, kind.name.removeprefix("MOSTLY_")) for kind in gguf.LlamaFileType}
    del theirs[gguf.LlamaFileType.GUESSED.value]
    assert theirs == FILE_TYPES
