"""Tokenizers: from Hugging Face's and SentencePiece's files to llama.cpp's metadata."""

from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid_gguf.documents import Document
from camelid_gguf.folder import SourceFolder
from camelid_gguf.tokenizers.added import added_tokens
from camelid_gguf.tokenizers.bpe import read_bpe
from camelid_gguf.tokenizers.chat_template import put_chat_template
from camelid_gguf.tokenizers.sentencepiece import read_sentencepiece
from camelid_gguf.tokenizers.special import KEYS, put_special_tokens
from camelid_gguf.tokenizers.spm import from_sentencepiece, read_merges, read_unigram
from camelid_gguf.tokenizers.vocabulary import AddedToken, Vocabulary
from camelid_gguf.tokenizers.wordpiece import read_wordpiece

__all__ = ("read_vocabulary",)

FAST, PIECES = "tokenizer.json", "tokenizer.model"


def read_vocabulary(folder: SourceFolder, size: int) -> Vocabulary:
    """The model's tokenizer, with its special tokens and its chat template.

    Args:
        folder: with tokenizer.json or tokenizer.model, or both.
        size: rows of the embedding; the vocabulary gets exactly as many tokens.

    Raises:
        InvalidModelFileError: there is no such file, or it is malformed.
        UnsupportedCapabilityError: llama.cpp has no such tokenizer.
    """
    tokenizer = folder.optional(FAST)
    added = added_tokens(folder, tokenizer)
    vocabulary = _learned(folder, tokenizer, added, size)
    put_special_tokens(vocabulary, folder, tokenizer)
    put_chat_template(vocabulary, folder)
    return vocabulary


def _learned(folder: SourceFolder, tokenizer: Document, added: list[AddedToken], size: int) -> Vocabulary:
    kind = tokenizer.section("model").text("type")
    byte_level = any(_has_byte_level(tokenizer.section(part)) for part in ("pre_tokenizer", "decoder"))
    match kind:
        case "BPE" if byte_level:
            return read_bpe(tokenizer, added, size)
        case "WordPiece":
            return read_wordpiece(tokenizer, added, size)
    # tokenizer.model has the true scores; tokenizer.json only what follows from them.
    if folder.has(PIECES):
        model = read_sentencepiece(folder.read(PIECES), PIECES)
        if len(model.pieces) > size:
            raise InvalidModelFileError(f"{PIECES} has {len(model.pieces)} tokens, the model only {size}")
        vocabulary = from_sentencepiece(model, added, size)
        for name, number in (("bos", model.beginning), ("eos", model.end), ("unk", model.unknown)):
            if 0 <= number < len(model.pieces):
                vocabulary.settings[KEYS[name]] = number
        return vocabulary
    match kind:
        case "BPE":
            return read_merges(tokenizer, added, size)
        case "Unigram":
            return read_unigram(tokenizer, added, size)
        case "":
            raise InvalidModelFileError("the model has neither tokenizer.json nor tokenizer.model")
    raise UnsupportedCapabilityError(f'unsupported tokenizer "{kind[:40]}"')


def _has_byte_level(step: Document) -> bool:
    kind = step.text("type")
    inner = [*step.sections("pretokenizers"), *step.sections("decoders")] if kind == "Sequence" else []
    return kind == "ByteLevel" or any(_has_byte_level(each) for each in inner)
