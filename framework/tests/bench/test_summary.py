from camelid.bench.measuring import Measured
from camelid.bench.rounds import Load, Sample
from camelid.bench.summary import Ratio, percentile, summarise

SPEED, WAIT = Load("distinct", 4), Load("cold", 0)


def sample(load: Load, target: str, number: int, *, tokens: int = 0, seconds: float = 1.0, **more: object) -> Sample:
    return Sample(load, target, number, Measured(seconds, tokens, **more))


def test_ratios_compare_the_same_round():
    rows = summarise(
        [
            sample(SPEED, "here", 1, tokens=100),
            sample(SPEED, "there", 1, tokens=50),
            sample(SPEED, "there", 2, tokens=100),
            sample(SPEED, "here", 2, tokens=150),
            sample(SPEED, "here", 3, tokens=120),
            sample(SPEED, "there", 3, tokens=240),
        ]
    )
    assert [(row.target, row.figure, row.unit) for row in rows] == [
        ("here", 120, "tokens/s"),
        ("there", 100, "tokens/s"),
    ]
    assert rows[0].ratio is None
    assert rows[1].ratio == Ratio(1.5, 0.5, 2.0)


def test_where_less_is_more_the_ratio_is_turned_round():
    rows = summarise(
        [
            sample(WAIT, "here", 1, tokens=1, first=(0.5,)),
            sample(WAIT, "there", 1, tokens=1, first=(1.0,)),
        ]
    )
    assert rows[1].ratio == Ratio(2.0, 2.0, 2.0)


def test_percentiles_are_taken_over_all_answers():
    rows = summarise(
        [sample(SPEED, "here", number, tokens=1, first=(number / 10,), gaps=(0.1, 0.2)) for number in (1, 2, 3)]
    )
    assert (rows[0].first_p50, rows[0].first_p95, rows[0].gap_p95) == (0.2, 0.3, 0.2)
    assert percentile((), 0.5) is None
    assert percentile([3.0], 0.95) == 3.0
    assert percentile(list(range(100)), 0.95) == 95
