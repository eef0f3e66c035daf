import pytest

from camelid.cli.sizes import human_bytes, human_count, short_digest


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 KB"),
        (1_500, "1.5 KB"),
        (274_900_000, "274 MB"),
        (9_960_000, "10.0 MB"),
        (4_683_073_184, "4.7 GB"),
        (1_000_000_000, "1 GB"),
        (10_400_000_000, "10 GB"),
        (2_500_000_000_000, "2.5 TB"),
    ],
)
def test_bytes_are_decimal_with_a_decimal_below_ten(amount: int, text: str):
    assert human_bytes(amount) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (8_030_261_248, "8.0B"),
        (7_000_000_000, "7B"),
        (134_515_008, "134.52M"),
        (137_000_000, "137M"),
        (33_212, "33K"),
        (999, "999"),
    ],
)
def test_parameter_counts(number: int, text: str):
    assert human_count(number) == text


def test_a_digest_is_shortened_to_twelve_digits():
    assert short_digest("sha256:" + "0123456789abcdef" * 4) == "0123456789ab"
    assert short_digest("0123456789abcdef" * 4) == "0123456789ab"
