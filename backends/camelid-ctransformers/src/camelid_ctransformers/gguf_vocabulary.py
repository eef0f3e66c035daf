"""The vocabulary of a GGUF file."""

from collections.abc import Sequence
from typing import Final, TypeVar

from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid_ctransformers.gguf_file import GGUFFile
from camelid_ctransformers.splitting import SPLITS
from camelid_ctransformers.vocabulary import Vocabulary

__all__ = ("gguf_vocabulary",)

_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = range(1, 7)
"""Values of `tokenizer.ggml.token_type`."""
_END: Final = (
    *("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>"),
    *("<|end_of_turn|>", "<end_of_turn>", "<end_of_utterance>", "<EOT>", "<|return|>", "<|call|>"),
    *("<|repo_name|>", "<reponame>", "<|file_sep|>", "<|fim_pad|>", "<fim_pad>", "<fim-pad>"),
)
"""Control tokens that end an answer, whatever else the file says."""
_END_KEYS: Final = ("eos_token_id", "eot_token_id", "eom_token_id")
_WHOLE_WORDS: Final = ("llama-bpe", "llama3", "llama-v3")
"""Splits whose tokenizers take a word that is a token as it is, and put a begin token in front."""
_SPACE: Final = "▁"

_Element = TypeVar("_Element", bytes, float, int)


def gguf_vocabulary(file: GGUFFile) -> Vocabulary:
    """The vocabulary of a file.

    Raises:
        InvalidModelFileError: it has none, or one that contradicts itself.
        ModelLoadError: it is for a tokenizer that this backend does not have.
    """
    texts = [text.decode("utf-8", "replace") for text in _array(file, "tokens", bytes)]
    if not texts:
        raise InvalidModelFileError(f"the file of {file.name} has no vocabulary")
    types = _array(file, "token_type", int) or [_NORMAL] * len(texts)
    if len(types) != len(texts):
        raise InvalidModelFileError(f"the file of {file.name} has {len(texts)} tokens and {len(types)} of their types")
    kind = file.text("tokenizer.ggml.model")
    if kind == "gpt2":
        return _byte_level(file, texts, types)
    if kind == "llama":
        return _sentencepiece(file, texts, types)
    raise ModelLoadError(f"the backend ctransformers has no tokenizer {kind!r}, which {file.name} needs")


def _byte_level(file: GGUFFile, texts: list[str], types: Sequence[int]) -> Vocabulary:
    split = file.text("tokenizer.ggml.pre") or ("falcon" if file.architecture == "falcon" else "gpt-2")
    if split not in SPLITS:
        raise ModelLoadError(f"the backend ctransformers cannot split words as {split!r}, which {file.name} needs")
    letters = _letters()
    merges: dict[tuple[bytes, bytes], int] = {}
    for rank, line in enumerate(_array(file, "merges", bytes)):
        first, space, second = line.decode("utf-8", "replace").rpartition(" ")
        if space:
            merges.setdefault((_bytes_of(first, letters), _bytes_of(second, letters)), rank)
    if not merges:
        raise InvalidModelFileError(f"the file of {file.name} has no merges")
    pieces = [
        text.encode() if kind == _USER_DEFINED else _bytes_of(text, letters)
        for text, kind in zip(texts, types, strict=True)
    ]
    return _vocabulary(
        file,
        texts,
        types,
        Vocabulary(
            pieces=pieces,
            control={},
            merges=merges,
            split=SPLITS[split],
            whole_words=split in _WHOLE_WORDS,
            add_begin=split in _WHOLE_WORDS,
        ),
    )


def _sentencepiece(file: GGUFFile, texts: list[str], types: Sequence[int]) -> Vocabulary:
    scores = _array(file, "scores", float)
    if len(scores) != len(texts):
        raise InvalidModelFileError(f"the file of {file.name} has {len(texts)} tokens and {len(scores)} scores")
    pieces, byte_tokens = [], {}
    for token, (text, kind) in enumerate(zip(texts, types, strict=True)):
        if kind == _BYTE:
            try:
                byte = int(text.removeprefix("<0x").removesuffix(">"), 16)
                pieces.append(bytes((byte,)))
            except ValueError as error:
                raise InvalidModelFileError(f"the file of {file.name} has the byte token {text!r}") from error
            byte_tokens[byte] = token
        else:
            pieces.append(text.replace(_SPACE, " ").encode())
    return _vocabulary(
        file,
        texts,
        types,
        Vocabulary(
            pieces=pieces,
            control={},
            scores=[float(score) for score in scores],
            byte_tokens=byte_tokens,
            space_prefix=True,
            begin=1,
            end=2,
            add_begin=True,
        ),
    )


def _vocabulary(file: GGUFFile, texts: list[str], types: Sequence[int], found: Vocabulary) -> Vocabulary:
    """`found` with what the file says of special tokens."""
    control = {
        text: token
        for token, (text, kind) in enumerate(zip(texts, types, strict=True))
        if kind in (_CONTROL, _UNKNOWN) and text
    }
    verbatim = {
        piece.decode("utf-8", "replace"): token
        for token, (piece, kind) in enumerate(zip(found.pieces, types, strict=True))
        if kind == _USER_DEFINED and piece
    }
    ends = {control[text] for text in _END if text in control}
    ends |= {token for key in _END_KEYS if (token := _token(file, key, len(texts))) is not None}
    end = _token(file, "eos_token_id", len(texts))
    begin = _token(file, "bos_token_id", len(texts))
    return Vocabulary(
        pieces=[piece if kind != _UNUSED else b"" for piece, kind in zip(found.pieces, types, strict=True)],
        control=control,
        verbatim=verbatim,
        scores=found.scores,
        merges=found.merges,
        split=found.split,
        byte_tokens=found.byte_tokens,
        whole_words=found.whole_words,
        leaves_out=True,
        space_prefix=_flag(file, "add_space_prefix", default=found.space_prefix),
        begin=found.begin if begin is None else begin,
        end=found.end if end is None else end,
        add_begin=_flag(file, "add_bos_token", default=found.add_begin),
        add_end=_flag(file, "add_eos_token", default=False),
        end_tokens=frozenset(ends),
    )


def _array(file: GGUFFile, key: str, kind: type[_Element]) -> list[_Element]:
    value = file.metadata.get(f"tokenizer.ggml.{key}")
    return [element for element in value if isinstance(element, kind)] if isinstance(value, list) else []


def _token(file: GGUFFile, key: str, size: int) -> int | None:
    token = file.whole(f"tokenizer.ggml.{key}")
    return token if token is not None and 0 <= token < size else None


def _flag(file: GGUFFile, key: str, *, default: bool) -> bool:
    value = file.metadata.get(f"tokenizer.ggml.{key}")
    return value if isinstance(value, bool) else default


def _letters() -> dict[str, int]:
    """The letter that stands for each byte in the files of byte-level tokenizers: itself, if it can be printed."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


def _bytes_of(text: str, letters: dict[str, int]) -> bytes:
    """The bytes that a token's text stands for; letters that stand for none are themselves."""
    try:
        return bytes([letters[letter] for letter in text])
    except KeyError:
        return b"".join(bytes((letters[letter],)) if letter in letters else letter.encode() for letter in text)
