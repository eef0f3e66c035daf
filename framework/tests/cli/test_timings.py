from camelid.cli.messages import AnswerLine
from camelid.cli.timings import timings_text


def test_all_timings_are_aligned():
    line = AnswerLine(
        done=True,
        total_duration=4_648_158_584,
        load_duration=4_071_084,
        prompt_eval_count=26,
        prompt_eval_duration=439_038_000,
        eval_count=298,
        eval_duration=4_206_371_875,
    )
    assert timings_text(line) == (
        "total duration:       4.648158584s\n"
        "load duration:        4.071084ms\n"
        "prompt eval count:    26 token(s)\n"
        "prompt eval duration: 439.038ms\n"
        "prompt eval rate:     59.22 tokens/s\n"
        "eval count:           298 token(s)\n"
        "eval duration:        4.206371875s\n"
        "eval rate:            70.84 tokens/s\n"
    )


def test_what_is_zero_is_left_out():
    assert timings_text(AnswerLine(total_duration=5_000_000_000)) == "total duration:       5s\n"
