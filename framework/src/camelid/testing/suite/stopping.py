"""Stop strings, wherever token borders fall."""

from camelid.testing.host import Host
from camelid.testing.outcomes import check, needs
from camelid.testing.suite.generating import PROMPT, greedy
from camelid.types.capabilities import Capability
from camelid.types.generation import FinishReason
from camelid.types.options import SamplingOptions
from camelid.wire.messages import Submit

__all__ = ("StoppingCases",)


class StoppingCases:
    """Stop."""

    @needs(Capability.COMPLETION)
    def test_stop_strings_cut_the_answer(self, host: Host) -> None:
        """Proves that a stop string ends the answer and never shows, at any offset. Look at the text assembly."""
        free = host.answer(greedy(PROMPT)).text
        check(len(free) > 8, "more than 8 characters after a text that repeats itself", free)
        for start in range(1, 7):
            stop = free[start : start + 3]
            sampling = SamplingOptions(temperature=0.0, num_predict=12, stop=(stop,))
            answer = host.answer(Submit(id=0, prompt=PROMPT, sampling=sampling))
            kept = free[: free.index(stop)]
            check(answer.text == kept, f"{kept!r}, which is {free!r} up to {stop!r}", answer.text)
            check(answer.finish is FinishReason.STOP, f"the finish 'stop' after {stop!r}", answer.finish)

    @needs(Capability.COMPLETION)
    def test_half_a_stop_string_is_given_back(self, host: Host) -> None:
        """Proves that held-back text is not lost at the end. If it fails, look at the end of text assembly."""
        free = host.answer(greedy(PROMPT)).text
        sampling = SamplingOptions(temperature=0.0, num_predict=12, stop=(f"{free[-4:]}∎never",))
        text = host.answer(Submit(id=0, prompt=PROMPT, sampling=sampling)).text
        check(text == free, f"{free!r} to its end, for only half of the stop string came", text)
