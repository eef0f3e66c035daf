"""Text to tokens and back."""

from camelid.errors import MissingDependencyError, UnsupportedCapabilityError
from camelid.testing.host import Host
from camelid.testing.outcomes import check, needs, variants
from camelid.testing.parts import Parts
from camelid.types.capabilities import Capability

__all__ = ("CORPUS", "TokenizingCases")

CORPUS = (
    "The quick brown fox jumps over the lazy dog.",
    "  two leading spaces, a\ttab, two\n\nnewlines and a trailing space ",
    "naïve façade, Größe, smørrebrød",
    "Привет, мир! Γειά σου κόσμε",
    "你好，世界。こんにちは世界。안녕하세요",
    "שלום עולם مرحبا بالعالم",
    "🦙🦙 camelids 👩‍👩‍👧‍👦 and flags 🇵🇪",
    "def f(x: int) -> int:\n    return x ** 2  # square\n",
)
"""Texts that every tokenizer must give back unchanged."""


class TokenizingCases:
    """Encode and decode."""

    @needs(Capability.TOKENIZE)
    def test_the_backend_brings_a_tokenizer(self, parts: Parts) -> None:
        """Proves that models need no other plugin's tokenizer. If it fails, look at the hook `camelid_tokenizer`."""
        try:
            tokenizer = parts.plugins.tokenizer(parts.spec.plugin, parts.model, parts.spec.artifact)
        except MissingDependencyError as error:
            raise UnsupportedCapabilityError(error.message) from error
        tokens = tokenizer.encode("seven apples", add_special=False, parse_special=False)
        check(b"apples" in tokenizer.decode(tokens), "the bytes of 'seven apples' back", tokenizer.decode(tokens))

    @variants("text", CORPUS)
    def test_text_survives_the_round_trip(self, host: Host, text: str) -> None:
        """Proves that no byte is lost. If it fails, look at `Tokenizer.token_bytes` (buffers too short?)."""
        tokens = host.run(host.client.tokenize(text, add_special=False, parse_special=False))
        size = host.facts.vocabulary_size
        check(bool(tokens) and all(0 <= token < size for token in tokens), f"token ids below {size}", tokens)
        back = host.run(host.client.detokenize(tokens))
        check(back.removeprefix(" ") == text.removeprefix(" "), f"{text!r} back", back)

    def test_empty_text_has_no_tokens(self, host: Host) -> None:
        """Proves the border case. If it fails, look at `Tokenizer.encode`."""
        tokens = host.run(host.client.tokenize("", add_special=False, parse_special=True))
        check(tokens == (), "no tokens", tokens)

    def test_a_nul_character_is_a_character(self, host: Host) -> None:
        """Proves that text is passed with its length. If it fails, look at `Tokenizer.encode`: C ends strings there."""
        tokens = host.run(host.client.tokenize("left\0right", add_special=False, parse_special=False))
        back = host.run(host.client.detokenize(tokens))
        check("left" in back and "right" in back, "both sides of a NUL character", back)

    def test_control_text_is_a_token_only_when_asked(self, host: Host) -> None:
        """Proves that `parse_special` is heeded: else users could forge turns.

        Look at `Tokenizer.encode`, and at `ModelFacts.eos_token`: the text that is tried.
        """
        control = host.facts.eos_token
        check(bool(control), "the text of the end token in `ModelFacts.eos_token`", control)
        parsed = host.run(host.client.tokenize(control, add_special=False, parse_special=True))
        plain = host.run(host.client.tokenize(control, add_special=False, parse_special=False))
        check(len(parsed) == 1, f"one token for {control!r} where it counts as control text", parsed)
        check(plain != parsed, f"other tokens for {control!r} where it is text", plain)
