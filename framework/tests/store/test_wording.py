import pytest

from camelid.store.wording import parameter_size


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (8_030_261_248, "8.0B"),
        (7_615_616_512, "7.6B"),
        (7_000_000_000, "7B"),
        (134_515_008, "134.52M"),
        (137_000_000, "137M"),
        (22_713_216, "22.71M"),
        (12_345, "12K"),
        (1_000, "1K"),
        (999, "999"),
        (0, "0"),
    ],
)
def test_parameters_are_counted_as_people_do(count, words):
    assert parameter_size(count) == words
