"""Prefixes that several sequences have in common."""

from camelid.errors import UnsupportedCapabilityError
from camelid.testing.drive import Drive, check_same_logits, prompt_of
from camelid.testing.outcomes import needs
from camelid.testing.parts import Parts
from camelid.types.capabilities import Capability

__all__ = ("PrefixSharingCases",)


class PrefixSharingCases:
    """Share a prefix."""

    @needs(Capability.PREFIX_SHARING)
    def test_a_copied_prefix_is_as_good_as_a_computed_one(self, parts: Parts) -> None:
        """Proves that `copy_prefix` copies what it says. If it fails, look at its length and at positions."""
        prompt, drive = prompt_of(parts), Drive.of_several(parts)
        drive.feed(0, prompt[:-1])
        expected = drive.feed(0, prompt[-1:])
        _share(drive, len(prompt) - 1)
        check_same_logits(drive.feed(1, prompt[-1:]), expected, "after a copied prefix as after a computed one")

    @needs(Capability.PREFIX_SHARING)
    def test_sequences_that_share_a_prefix_go_their_own_ways(self, parts: Parts) -> None:
        """Proves that neither source nor copy changes the other. If it fails, look at what `trim` removes."""
        prompt, drive = prompt_of(parts), Drive.of_several(parts)
        first, second, *_ = prompt_of(parts, "seven")[::-1] + prompt
        drive.feed(0, prompt)
        expected = drive.feed(0, [first])
        drive.forget()
        drive.feed(0, prompt)
        _share(drive, len(prompt))
        drive.feed(1, [second])
        check_same_logits(drive.feed(0, [first]), expected, "for the source while its copy says something else")
        if drive.trim(0, len(prompt)):
            drive.feed(0, [second])
        drive.trim(0, 0)
        if drive.trim(1, len(prompt)):
            check_same_logits(drive.feed(1, [first]), expected, "for the copy after its source is gone")


def _share(drive: Drive, length: int) -> None:
    if not drive.decoder.copy_prefix(0, 1, length):
        raise UnsupportedCapabilityError(f"`copy_prefix` of {length} tokens returned False")
    drive.lengths[1] = length
