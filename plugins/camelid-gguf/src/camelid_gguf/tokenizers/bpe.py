"""Byte-level BPE, as GPT-2 began it."""

from camelid.errors import InvalidModelFileError
from camelid_gguf.documents import Document
from camelid_gguf.tokenizers.pretokenizers import pre_tokenizer
from camelid_gguf.tokenizers.vocabulary import AddedToken, Kind, Vocabulary

__all__ = ("merge_pairs", "read_bpe", "vocabulary_of")


def read_bpe(tokenizer: Document, added: list[AddedToken], size: int) -> Vocabulary:
    """The vocabulary of a tokenizer.json whose model is BPE on bytes.

    Raises:
        UnsupportedCapabilityError: llama.cpp splits text in no such way.
        InvalidModelFileError: the file is malformed, or has more tokens than the model.
    """
    vocabulary = Vocabulary.empty("gpt2", pre_tokenizer(tokenizer), size, scored=False)
    for text, number in vocabulary_of(tokenizer):
        vocabulary.place(number, text, Kind.NORMAL)
    vocabulary.place_added(added)
    vocabulary.merges = [f"{left} {right}" for left, right in merge_pairs(tokenizer)]
    if not vocabulary.merges or any(merge.count(" ") > 1 for merge in vocabulary.merges):
        raise InvalidModelFileError(f"{tokenizer.name} has no merges, or some with spaces in their tokens")
    return vocabulary


def vocabulary_of(tokenizer: Document) -> list[tuple[str, int]]:
    """Tokens and their numbers."""
    vocabulary = tokenizer.section("model").section("vocab")
    return [(text, vocabulary.count(text, least=0)) for text in vocabulary.values]


def merge_pairs(tokenizer: Document) -> list[tuple[str, str]]:
    """The merges, best first; older files write "a b", newer ones ["a", "b"].

    Raises:
        InvalidModelFileError: one is neither.
    """
    found = []
    for merge in tokenizer.section("model").items("merges"):
        match merge:
            case str():
                left, _, right = merge.partition(" ")
            case [str(left), str(right)]:
                pass
            case _:
                raise InvalidModelFileError(f"{tokenizer.name}: a merge is two tokens, not {str(merge)[:80]}")
        if not left or not right:
            raise InvalidModelFileError(f"{tokenizer.name}: a merge is two tokens, not {str(merge)[:80]}")
        found.append((left, right))
    return found
