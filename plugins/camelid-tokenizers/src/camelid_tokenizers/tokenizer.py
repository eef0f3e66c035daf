"""The tokenizer of a vocabulary."""

import msgspec

from camelid import Tokenizer
from camelid.errors import RequestError
from camelid.types.vocabulary import TokenizerKind, Vocabulary
from camelid_tokenizers.byte_pairs import BytePairs
from camelid_tokenizers.pre_tokenizers import pre_tokenizer
from camelid_tokenizers.sentence_pieces import SentencePieces
from camelid_tokenizers.special import SpecialTokens
from camelid_tokenizers.text import clean
from camelid_tokenizers.word_pieces import WordPieces

__all__ = ("VocabularyTokenizer",)


class VocabularyTokenizer(Tokenizer):
    """Gives the ids that llama.cpp gives, except that text never becomes a control token unless it is asked to."""

    def __init__(self, vocabulary: Vocabulary, model: str) -> None:
        """Build.

        Args:
            vocabulary: the file it is from is not needed any more.
            model: its name, for errors.

        Raises:
            InvalidModelFileError: the vocabulary contradicts itself.
            ModelLoadError: it cuts out words in a way that is not known here.
        """
        # Without the bulk, which is in the parts below in another form.
        self._vocabulary = msgspec.structs.replace(vocabulary, pieces=[], merges=None, scores=[])
        self._special = SpecialTokens(vocabulary)
        control = set(vocabulary.control.values())
        self._pieces = [b"" if token in control else piece for token, piece in enumerate(vocabulary.pieces)]
        self._text: BytePairs | SentencePieces | WordPieces
        match vocabulary.kind:
            case TokenizerKind.BYTE_PAIR:
                self._text = BytePairs(vocabulary, pre_tokenizer(vocabulary.pre_tokenizer, model).patterns)
            case TokenizerKind.SENTENCE_PIECE:
                self._text = SentencePieces(vocabulary)
            case TokenizerKind.WORD_PIECE:
                self._text = WordPieces(vocabulary)

    @property
    def vocabulary_size(self) -> int:
        """Tokens in the vocabulary."""
        return len(self._pieces)

    @property
    def end_tokens(self) -> frozenset[int]:
        """Those of the vocabulary."""
        return self._vocabulary.end_tokens

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of `text`; lone surrogates count as U+FFFD.

        Raises:
            RequestError: the vocabulary has no token for one of its characters.
        """
        vocabulary = self._vocabulary
        tokens = [vocabulary.begin] if add_special and vocabulary.add_begin and vocabulary.begin is not None else []
        for part in self._special.split(clean(text), parse_special=parse_special):
            if isinstance(part, int):
                tokens.append(part)
            else:
                tokens += self._text.encode(f" {part}" if vocabulary.space_prefix else part)
        if add_special and vocabulary.add_end and vocabulary.end is not None:
            tokens.append(vocabulary.end)
        return tokens

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token; empty for control tokens.

        Raises:
            RequestError: no such token.
        """
        if not 0 <= token < len(self._pieces):
            raise RequestError(f"token {token} is not in the model's vocabulary")
        return self._pieces[token]
