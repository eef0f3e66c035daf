"""Sequences as bytes."""

from camelid.contracts.generation import BatchDecoder
from camelid.errors import CamelidError, UnsupportedCapabilityError
from camelid.testing.drive import Drive, check_same_logits, prompt_of
from camelid.testing.outcomes import check, expect_error, needs
from camelid.testing.parts import Parts
from camelid.types.capabilities import Capability

__all__ = ("StateSavingCases",)


class StateSavingCases:
    """Save and restore."""

    @needs(Capability.STATE_SAVE)
    def test_a_restored_sequence_goes_on_as_the_saved_one(self, parts: Parts) -> None:
        """Proves that a state holds all of a sequence, for another place too. Look at `save` and `restore`."""
        drive, prompt, state = _saved(parts)
        token, expected = drive.go_on(prompt[-1:])
        target = drive.limits.sequences - 1
        drive.forget()
        drive.decoder.restore(target, state)
        drive.lengths[target] = len(prompt) - 1
        drive.feed(target, prompt[-1:])
        check_same_logits(drive.feed(target, [token]), expected, "after a restored sequence as after the saved one")

    @needs(Capability.STATE_SAVE)
    def test_what_is_no_state_is_refused(self, parts: Parts) -> None:
        """Proves that a damaged file is one clear error, and that others go on. Look at `restore`: trust no length."""
        drive, prompt, state = _saved(parts)
        expected = drive.feed(0, prompt[-1:])
        target = drive.limits.sequences - 1
        for damaged in (b"", b"no state", bytes(1000), state[: len(state) // 2], state + b"more"):
            drive.trim(target, 0)
            error = expect_error(CamelidError, drive.decoder.restore, target, damaged)
            check(bool(error.message), "a sentence", error.message)
        drive.forget()
        drive.feed(target, prompt[:-1])
        check_same_logits(drive.feed(target, prompt[-1:]), expected, "in a sequence that could not be restored")


def _saved(parts: Parts) -> tuple[Drive, list[int], bytes]:
    """A drive, a prompt, and the state of a sequence that holds all of it but the last token."""
    drive, prompt = Drive.of(parts), prompt_of(parts)
    if drive is None or not isinstance(parts.generator, BatchDecoder):
        raise UnsupportedCapabilityError("the generator has no `save`")
    drive.feed(0, prompt[:-1])
    return drive, prompt, drive.decoder.save(0)
