"""Text to tokens and back."""

import pytest

from camelid.testing.host import Host

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

    @pytest.mark.parametrize("text", CORPUS)
    def test_text_survives_the_round_trip(self, host: Host, text: str) -> None:
        """Proves that no byte is lost. If it fails, look at `Tokenizer.token_bytes` (buffers too short?)."""
        tokens = host.run(host.client.tokenize(text, add_special=False, parse_special=False))
        assert tokens
        assert all(0 <= token < host.facts.vocabulary_size for token in tokens)
        assert host.run(host.client.detokenize(tokens)).removeprefix(" ") == text.removeprefix(" ")

    def test_empty_text_has_no_tokens(self, host: Host) -> None:
        """Proves the border case. If it fails, look at `Tokenizer.encode`."""
        assert host.run(host.client.tokenize("", add_special=False, parse_special=True)) == ()

    def test_control_text_is_a_token_only_when_asked(self, host: Host) -> None:
        """Proves that `parse_special` is heeded: else users could forge turns. Look at `Tokenizer.encode`."""
        control = host.facts.eos_token
        assert control, "ModelFacts.eos_token is empty"
        parsed = host.run(host.client.tokenize(control, add_special=False, parse_special=True))
        plain = host.run(host.client.tokenize(control, add_special=False, parse_special=False))
        assert len(parsed) == 1
        assert plain != parsed
