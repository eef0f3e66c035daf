"""Tokenizers of SentencePiece's kind, from tokenizer.model or from what tokenizer.json makes of it."""

import base64
import binascii
import re

from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid_gguf.documents import LARGEST, Document
from camelid_gguf.tokenizers.bpe import merge_pairs, vocabulary_of
from camelid_gguf.tokenizers.sentencepiece import SentencePieceModel
from camelid_gguf.tokenizers.vocabulary import AddedToken, Kind, Vocabulary

__all__ = ("from_sentencepiece", "read_merges", "read_unigram")

PREFIX = "tokenizer.ggml.add_space_prefix"
UNKNOWN = "tokenizer.ggml.unknown_token_id"
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def from_sentencepiece(model: SentencePieceModel, added: list[AddedToken], size: int) -> Vocabulary:
    """The vocabulary of a tokenizer.model.

    A unigram model that falls back to bytes is written as the other kind, since llama.cpp's unigram tokenizer has no
    such fallback; that is what every converter does.

    Raises:
        InvalidModelFileError: it has more tokens than the model.
    """
    unigram = model.unigram and not model.byte_fallback
    vocabulary = Vocabulary.empty("t5" if unigram else "llama", "default", size, scored=True)
    for number, piece in enumerate(model.pieces):
        vocabulary.place(number, piece.text, piece.kind, piece.score)
    vocabulary.place_added(added)
    vocabulary.settings[PREFIX] = model.prefix
    if unigram:
        _unigram_settings(vocabulary, model.charsmap, single_spaces=model.single_spaces)
    return vocabulary


def read_merges(tokenizer: Document, added: list[AddedToken], size: int) -> Vocabulary:
    """The vocabulary of a tokenizer.json whose BPE is on characters, with bytes for those it does not know.

    SentencePiece merges the pair whose token has the best score; here, the pair that comes first. Scores that fall with
    the place of a token's first merge make both the same.

    Raises:
        InvalidModelFileError: the file is malformed, or has more tokens than the model.
        UnsupportedCapabilityError: it changes the text in a way that llama.cpp does not.
    """
    model = tokenizer.section("model")
    vocabulary = Vocabulary.empty("llama", "default", size, scored=True)
    ranks: dict[str, int] = {}
    for rank, (left, right) in enumerate(merge_pairs(tokenizer)):
        ranks.setdefault(left + right, rank)
    if not ranks:
        raise InvalidModelFileError(f"{tokenizer.name} has no merges")
    unknown = model.text("unk_token")
    for text, number in vocabulary_of(tokenizer):
        kind = Kind.UNKNOWN if text == unknown else Kind.BYTE if _BYTE.fullmatch(text) else Kind.NORMAL
        vocabulary.place(number, text, kind, -float(ranks.get(text, len(ranks))))
    vocabulary.place_added(added)
    vocabulary.settings[PREFIX] = _prefix(tokenizer)
    return vocabulary


def read_unigram(tokenizer: Document, added: list[AddedToken], size: int) -> Vocabulary:
    """The vocabulary of a tokenizer.json whose model is unigram.

    Raises:
        InvalidModelFileError: the file is malformed, or has more tokens than the model.
    """
    model = tokenizer.section("model")
    fallback = model.flag("byte_fallback", default=False)
    vocabulary = Vocabulary.empty("llama" if fallback else "t5", "default", size, scored=True)
    unknown = model.count("unk_id", 0, least=0)
    for number, entry in enumerate(model.items("vocab")):
        match entry:
            case [str(text), int() | float() as score] if abs(score) < LARGEST:
                byte = fallback and _BYTE.fullmatch(text)
                kind = Kind.UNKNOWN if number == unknown else Kind.BYTE if byte else Kind.NORMAL
                vocabulary.place(number, text, kind, float(score))
            case _:
                raise InvalidModelFileError(f"{tokenizer.name}: a token is a text and a score, not {str(entry)[:80]}")
    vocabulary.place_added(added)
    vocabulary.settings[PREFIX] = _prefix(tokenizer)
    if unknown < size:
        vocabulary.settings[UNKNOWN] = unknown
    if not fallback:
        steps = [*_flat(tokenizer.section("normalizer"), "normalizers")]
        split = any(step.text("type") == "WhitespaceSplit" for step in _pre(tokenizer))
        joined = any(step.section("pattern").text("Regex") == " {2,}" for step in steps)
        charsmap = next((step.text("precompiled_charsmap") for step in steps if "precompiled_charsmap" in step), "")
        try:
            decoded = base64.b64decode(charsmap, validate=True)
        except binascii.Error as error:
            raise InvalidModelFileError(
                f"{tokenizer.name}: precompiled_charsmap is damaged", reason=str(error)
            ) from None
        _unigram_settings(vocabulary, decoded, single_spaces=split or joined)
    return vocabulary


def _unigram_settings(vocabulary: Vocabulary, charsmap: bytes, *, single_spaces: bool) -> None:
    vocabulary.settings["tokenizer.ggml.remove_extra_whitespaces"] = single_spaces
    if charsmap:
        vocabulary.settings["tokenizer.ggml.precompiled_charsmap"] = charsmap


def _prefix(tokenizer: Document) -> bool:
    """Whether a text gets a space in front.

    Raises:
        UnsupportedCapabilityError: more happens to it than that.
    """
    prefix = False
    for step in _flat(tokenizer.section("normalizer"), "normalizers"):
        match step.text("type"):
            case "Prepend":
                prefix = True
            case "" | "Replace" | "Precompiled" | "NFC" | "NFKC" | "Strip":
                pass
            case kind:
                raise UnsupportedCapabilityError(f"the tokenizer of this model has the unknown step {kind[:40]}")
    for step in _pre(tokenizer):
        match step.text("type"):
            case "Metaspace":
                scheme = step.text("prepend_scheme", "always")
                prefix |= scheme != "never" and step.flag("add_prefix_space", default=True)
            case "" | "Split" | "WhitespaceSplit":
                pass
            case kind:
                raise UnsupportedCapabilityError(f"the tokenizer of this model has the unknown step {kind[:40]}")
    return prefix


def _pre(tokenizer: Document) -> list[Document]:
    return _flat(tokenizer.section("pre_tokenizer"), "pretokenizers")


def _flat(step: Document, inner: str) -> list[Document]:
    """The steps of a sequence, or the one step that there is."""
    if step.text("type") != "Sequence":
        return [step]
    return [each for nested in step.sections(inner) for each in _flat(nested, inner)]
