"""Several sequences in one step."""

from camelid.contracts.engine import Engine, EngineRequest
from camelid.errors import UnsupportedCapabilityError
from camelid.testing.drive import Drive, check_same_logits, engine_of, prompt_of, steps_of
from camelid.testing.outcomes import needs, not_run
from camelid.testing.parts import Parts
from camelid.testing.suite.generating import greedy
from camelid.types.capabilities import Capability

__all__ = ("BatchingCases",)

_PROMPTS = tuple(f"{word}, " * 12 for word in ("apple", "river", "seven"))

_ROUNDS = 4
"""One is enough where steps are computed here; what another server computes may come all at once."""


def _together(engine: Engine, parts: Parts) -> int:
    """How many of some sequences had begun when one of them ended, at most."""
    for number, text in enumerate(_PROMPTS):
        engine.submit(EngineRequest(number, tuple(prompt_of(parts, text)), greedy("", tokens=32).sampling))
    begun: set[int] = set()
    most = 0
    for events in steps_of(engine):
        begun.update(event.id for event in events)
        for event in events:
            if event.error is not None:
                raise event.error
            if event.finish:
                most = max(most, len(begun))
                begun.discard(event.id)
    return most


class BatchingCases:
    """Advance together."""

    @needs(Capability.BATCHING)
    def test_sequences_advance_together(self, parts: Parts) -> None:
        """Proves that nobody waits until others have their whole answers. Look at `Engine.step`, `BatchLimits`."""
        declared = Capability.BATCHING in parts.facts.capabilities
        if declared and parts.spec.options.parallel < 2:
            not_run("the suite's options allow one sequence only: raise `parallel`")
        if not any(_together(engine_of(parts), parts) > 1 for _ in range(_ROUNDS)):
            raise UnsupportedCapabilityError("each sequence began when another had ended")

    @needs(Capability.BATCHING)
    def test_a_batch_equals_its_sequences_alone(self, parts: Parts) -> None:
        """Proves that sequences of one batch do not see each other. Look at sequence ids, positions and rows."""
        if isinstance(parts.generator, Engine) and Capability.BATCHING in parts.facts.capabilities:
            return  # it shows no logits
        drive = Drive.of_several(parts)
        used = range(min(len(_PROMPTS), drive.limits.sequences))
        room = drive.limits.batch_tokens // len(used)
        prompts = {sequence: prompt_of(parts, _PROMPTS[sequence])[-room:] for sequence in used}
        tokens, alone = {}, {}
        for sequence, prompt in prompts.items():
            drive.forget()
            token, alone[sequence] = drive.go_on(prompt)
            tokens[sequence] = [token]
        drive.forget()
        drive.feed_together(prompts)
        for sequence, logits in drive.feed_together(tokens).items():
            check_same_logits(logits, alone[sequence], f"for sequence {sequence} of {len(used)} as alone")
