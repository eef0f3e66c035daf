"""What `--verbose` prints after an answer (contract 19.5)."""

from camelid.cli.messages import AnswerLine
from camelid.cli.times import go_duration

__all__ = ("timings_text",)

_NAME_WIDTH = 22


def timings_text(last: AnswerLine) -> str:
    """Counts and durations of the last line of an answer, one a line; what is zero is left out."""
    rows = (
        ("total duration:", _duration(last.total_duration)),
        ("load duration:", _duration(last.load_duration)),
        ("prompt eval count:", _tokens(last.prompt_eval_count)),
        ("prompt eval duration:", _duration(last.prompt_eval_duration)),
        ("prompt eval rate:", _rate(last.prompt_eval_count, last.prompt_eval_duration)),
        ("eval count:", _tokens(last.eval_count)),
        ("eval duration:", _duration(last.eval_duration)),
        ("eval rate:", _rate(last.eval_count, last.eval_duration)),
    )
    return "".join(f"{name.ljust(_NAME_WIDTH)}{value}\n" for name, value in rows if value)


def _duration(nanoseconds: int) -> str:
    return go_duration(nanoseconds) if nanoseconds else ""


def _tokens(count: int) -> str:
    return f"{count} token(s)" if count else ""


def _rate(count: int, nanoseconds: int) -> str:
    return f"{count / nanoseconds * 1e9:.2f} tokens/s" if count and nanoseconds else ""
