"""BERT's WordPiece."""

from camelid_gguf.documents import Document
from camelid_gguf.tokenizers.bpe import vocabulary_of
from camelid_gguf.tokenizers.vocabulary import AddedToken, Kind, Vocabulary

__all__ = ("read_wordpiece",)


def read_wordpiece(tokenizer: Document, added: list[AddedToken], size: int) -> Vocabulary:
    """The vocabulary of a tokenizer.json whose model is WordPiece.

    BERT marks pieces that go on; llama.cpp marks those that begin a word.

    Raises:
        InvalidModelFileError: the file is malformed, or has more tokens than the model.
    """
    mark = tokenizer.section("model").text("continuing_subword_prefix", "##")
    vocabulary = Vocabulary.empty("bert", "default", size, scored=False)
    special = {token.text for token in added if token.special}
    for text, number in vocabulary_of(tokenizer):
        if text in special:
            vocabulary.place(number, text, Kind.CONTROL)
        elif text.startswith(mark) and len(text) > len(mark):
            vocabulary.place(number, text.removeprefix(mark), Kind.NORMAL)
        else:
            vocabulary.place(number, f"\u2581{text}", Kind.NORMAL)
    vocabulary.place_added(token for token in added if token.special)
    normalizer = tokenizer.section("normalizer")
    if normalizer.text("type") == "BertNormalizer":
        lower = normalizer.flag("lowercase", default=True)
        vocabulary.settings["tokenizer.ggml.normalizer.lowercase"] = lower
        strip = normalizer.flag("strip_accents", default=lower)
        vocabulary.settings["tokenizer.ggml.normalizer.strip_accents"] = strip
    return vocabulary
