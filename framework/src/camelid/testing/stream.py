"""What must hold for the deltas of any generation; also of use without pytest."""

from collections.abc import Sequence

from camelid.types.generation import FinishReason
from camelid.wire.messages import Delta

__all__ = ("check_stream",)


def check_stream(deltas: Sequence[Delta], *, prompt_tokens: int | None = None) -> list[str]:
    """The rules that a finished stream breaks, as sentences; empty if it is sound.

    Args:
        deltas: all of one request, in order.
        prompt_tokens: length of the prompt, if the caller knows it.
    """
    if not deltas:
        return ["a stream has at least its last delta"]
    violations = []
    *before, last = deltas
    if any(delta.finish or delta.timings or delta.fault for delta in before):
        violations.append("finish, timings and fault belong to the last delta alone")
    if len({delta.id for delta in deltas}) != 1:
        violations.append("all deltas of a stream carry one id")
    if last.fault is None and last.finish not in (FinishReason.STOP, FinishReason.LENGTH):
        violations.append(f"a stream ends with stop or length, not {last.finish}")
    if last.fault is None and last.timings is None:
        violations.append("the last delta carries the timings")
    if last.timings is not None:
        counted = sum(delta.tokens for delta in deltas)
        if last.timings.generated_tokens != counted:
            violations.append(f"timings count {last.timings.generated_tokens} tokens, the deltas {counted}")
        if prompt_tokens is not None and last.timings.prompt_tokens != prompt_tokens:
            violations.append(f"timings count {last.timings.prompt_tokens} prompt tokens instead of {prompt_tokens}")
        if last.timings.cached_tokens >= max(last.timings.prompt_tokens, 1):
            violations.append("at least one prompt token is computed, whatever the cache holds")
    return violations
