"""Requests that run side by side."""

from camelid.testing.host import Host
from camelid.testing.outcomes import check, needs
from camelid.testing.suite.generating import check_sound, greedy
from camelid.types.capabilities import Capability

__all__ = ("IsolationCases",)

_WORDS = ("apple", "river", "seven", "green", "house", "music", "paper", "stone")


def _pattern(word: str) -> str:
    """A text that any language model goes on with by the same word."""
    return f"word: {word}\n" * 5 + "word:"


class IsolationCases:
    """Keep apart what does not belong together."""

    @needs(Capability.COMPLETION)
    def test_concurrent_answers_do_not_mix(self, host: Host) -> None:
        """Proves that each of eight requests gets its own answer. If it fails, look at sequence ids and positions.

        A model that repeats no word, as one of random weights, has to say the same as when it is asked alone.
        """
        answers = host.answers([greedy(_pattern(word)) for word in _WORDS])
        for word, answer in zip(_WORDS, answers, strict=True):
            check_sound(answer.deltas)
            if word not in answer.text:
                alone = host.answer(greedy(_pattern(word))).text
                check(answer.text == alone, f"{alone!r}, as without others", answer.text)
            mixed = [other for other in _WORDS if other != word and other in answer.text]
            check(not mixed, f"an answer with no other word than {word!r}", answer.text)

    @needs(Capability.COMPLETION)
    def test_two_models_share_nothing(self, host: Host) -> None:
        """Proves that closing one model leaves another of the same backend alone. Look at global native state."""
        before = host.answer(greedy(_pattern("apple"))).text
        with host.another(host.spec) as other:
            host.run(host.collect(greedy(_pattern("river")), other))
        after = host.answer(greedy(_pattern("apple"))).text
        check(after == before, f"{before!r}, as before another model was closed", after)
