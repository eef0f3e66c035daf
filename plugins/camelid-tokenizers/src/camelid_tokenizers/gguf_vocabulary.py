"""The vocabulary in a GGUF file's metadata, read as llama.cpp reads it."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from camelid.contracts.gguf_values import Array, Value
from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid.types.vocabulary import TokenizerKind, Vocabulary
from camelid_tokenizers.ends import DISPLAYED, END, ending
from camelid_tokenizers.letters import bytes_of
from camelid_tokenizers.pre_tokenizers import pre_tokenizer

__all__ = ("gguf_vocabulary",)

_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = range(1, 7)
"""Values of `tokenizer.ggml.token_type`."""
_PREFIX: Final = "tokenizer.ggml."
_SPACE: Final = "▁"
_END_KEYS: Final = ("eos_token_id", "eot_token_id", "eom_token_id")
_KEEP_SPACES: Final = frozenset({"<unk>", "<s>", "<|endoftext|>"})
"""Phi-3: the special tokens that do not swallow the white space after them."""

_Element = TypeVar("_Element", str, float, int)


def gguf_vocabulary(metadata: Mapping[str, Value], model: str) -> Vocabulary:
    """The vocabulary of a file.

    Args:
        metadata: of the file.
        model: its name, for errors.

    Raises:
        InvalidModelFileError: it has none, or one that contradicts itself.
        ModelLoadError: it is for a tokenizer that is not known here.
    """
    return _Reader(metadata, model).vocabulary()


class _Reader:
    def __init__(self, metadata: Mapping[str, Value], model: str) -> None:
        self._metadata, self._model = metadata, model
        self._texts = self._array("tokens", str)
        if not self._texts:
            raise InvalidModelFileError(f"model {model!r} has no vocabulary")
        found = self._array("token_type", int) or [_NORMAL] * len(self._texts)
        if len(found) != len(self._texts):
            raise InvalidModelFileError(f"model {model!r} has {len(self._texts)} tokens and {len(found)} types")
        self._types = [_type(text, kind) for text, kind in zip(self._texts, found, strict=True)]

    def vocabulary(self) -> Vocabulary:
        kind = self._text("model")
        match kind:
            case "gpt2":
                found = self._byte_pairs()
            case "llama":
                found = self._sentence_pieces()
            case "bert":
                found = self._word_pieces()
            case _:
                raise ModelLoadError(
                    f"camelid-tokenizers has no tokenizer {kind!r}, which model {self._model!r} needs; run it on a "
                    "backend that tokenizes by itself, such as llamacpp"
                )
        return self._with_special_tokens(found)

    def _byte_pairs(self) -> Vocabulary:
        name = self._text("pre")
        meaning = pre_tokenizer(name, self._model)
        merges = []
        for line in self._array("merges", str):
            place = line.find(" ", 1)
            if place > 0:
                merges.append((bytes_of(line[:place]), bytes_of(line[place + 1 :])))
        if not merges:
            raise InvalidModelFileError(f"model {self._model!r} has no merges")
        return Vocabulary(
            kind=TokenizerKind.BYTE_PAIR,
            pieces=[
                text.encode("utf-8", "replace") if kind == _USER_DEFINED else bytes_of(text)
                for text, kind in zip(self._texts, self._types, strict=True)
            ],
            merges=merges,
            pre_tokenizer=name,
            whole_words=meaning.whole_words,
            begin=self._token("bos_token_id", 11),
            end=self._token("eos_token_id", 11),
            add_begin=self._flag("add_bos_token", default=meaning.add_begin),
            add_end=self._flag("add_eos_token", default=False),
        )

    def _sentence_pieces(self) -> Vocabulary:
        scores = self._array("scores", float)
        if len(scores) != len(self._texts):
            raise InvalidModelFileError(f"model {self._model!r} has {len(self._texts)} tokens and {len(scores)} scores")
        pieces, byte_tokens = [], {}
        for token, (text, kind) in enumerate(zip(self._texts, self._types, strict=True)):
            if kind == _BYTE:
                try:
                    piece = bytes((int(text.removeprefix("<0x").removesuffix(">"), 16),))
                except ValueError as error:
                    raise InvalidModelFileError(f"model {self._model!r} has the byte token {text!r}") from error
                byte_tokens[piece[0]] = token
                pieces.append(piece)
            else:
                pieces.append(_spaced(text, kind))
        return Vocabulary(
            kind=TokenizerKind.SENTENCE_PIECE,
            pieces=pieces,
            scores=scores,
            byte_tokens=byte_tokens,
            space_prefix=self._flag("add_space_prefix", default=True),
            begin=self._token("bos_token_id", 1),
            end=self._token("eos_token_id", 2),
            add_begin=self._flag("add_bos_token", default=True),
            add_end=self._flag("add_eos_token", default=False),
        )

    def _word_pieces(self) -> Vocabulary:
        lowercase = self._flag("normalizer.lowercase", default=True)
        return Vocabulary(
            kind=TokenizerKind.WORD_PIECE,
            pieces=[_spaced(text, kind) for text, kind in zip(self._texts, self._types, strict=True)],
            lowercase=lowercase,
            strip_accents=self._flag("normalizer.strip_accents", default=lowercase),
            unknown=self._token("unknown_token_id", 100),
            begin=self._token("bos_token_id", 101),
            end=self._token("seperator_token_id", 102),
            add_begin=True,
            add_end=True,
        )

    def _with_special_tokens(self, found: Vocabulary) -> Vocabulary:
        control = self._of((_CONTROL, _UNKNOWN))
        verbatim = self._of((_USER_DEFINED,))
        named = {token for key in _END_KEYS if (token := self._token(key, None)) is not None}
        if found.kind is not TokenizerKind.WORD_PIECE and found.end is not None:
            named.add(found.end)
        ends, displayed = ending(control, named)
        architecture, name = self._metadata.get("general.architecture"), str(self._metadata.get("general.name", ""))
        phi3 = any(each in name.lower() for each in ("phi-3", "phi3"))
        masked = found.pre_tokenizer.startswith("jina-v2-") or architecture in ("nomic-bert-moe", "jina-bert-v3")
        masks = ("<mask>",) if masked else ("[MASK]",) if "modern-bert" in name.lower() and not phi3 else ()
        special = control | verbatim
        return msgspec.structs.replace(
            found,
            pieces=[piece if kind != _UNUSED else b"" for piece, kind in zip(found.pieces, self._types, strict=True)],
            control={text: token for text, token in control.items() if token not in displayed},
            verbatim=verbatim | {text: token for text, token in control.items() if token in displayed},
            strips_left=frozenset(special[text] for text in masks if text in special),
            strips_right=frozenset(token for text, token in special.items() if phi3 and text not in _KEEP_SPACES),
            leaves_out=True,
            end_tokens=frozenset(ends),
        )

    def _of(self, kinds: Sequence[int]) -> dict[str, int]:
        """The tokens of some types, by their texts."""
        typed = enumerate(zip(self._texts, self._types, strict=True))
        return {text: token for token, (text, kind) in typed if kind in kinds and text}

    def _text(self, key: str) -> str:
        value = self._metadata.get(_PREFIX + key)
        return value if isinstance(value, str) else ""

    def _array(self, key: str, kind: type[_Element]) -> list[_Element]:
        value = self._metadata.get(_PREFIX + key)
        if not isinstance(value, Array):
            return []
        return [element for element in value.read() if isinstance(element, kind)]

    def _token(self, key: str, default: int | None) -> int | None:
        """A token of the vocabulary; `default` if the file names none, or none that there is."""
        for token in (self._metadata.get(_PREFIX + key), default):
            if isinstance(token, int) and not isinstance(token, bool) and 0 <= token < len(self._texts):
                return token
        return None

    def _flag(self, key: str, *, default: bool) -> bool:
        value = self._metadata.get(_PREFIX + key)
        return value if isinstance(value, bool) else default


def _type(text: str, kind: int) -> int:
    """The type of a token, where llama.cpp knows better than files do."""
    if text in DISPLAYED:
        return _USER_DEFINED
    return _CONTROL if text in END else kind


def _spaced(text: str, kind: int) -> bytes:
    return (text if kind == _USER_DEFINED else text.replace(_SPACE, " ")).encode("utf-8", "replace")
