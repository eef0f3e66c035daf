from hypothesis import given
from hypothesis import strategies as st

from camelid.decoding.cells import CellLedger

SEQUENCES = 4

operations = st.lists(
    st.tuples(
        st.sampled_from(["grow", "share", "trim", "private"]),
        st.integers(0, SEQUENCES - 1),
        st.integers(0, SEQUENCES - 1),
        st.integers(0, 20),
    ),
    max_size=60,
)


@given(operations)
def test_ledger_counts_what_a_cache_with_shared_cells_would_hold(steps):
    ledger = CellLedger(1000, SEQUENCES)
    cells: list[list[object]] = [[] for _ in range(SEQUENCES)]
    for operation, one, other, amount in steps:
        if operation == "grow":
            ledger.grow(one, amount)
            cells[one] += [object() for _ in range(amount)]
        elif operation == "share" and one != other:
            length = min(amount, len(cells[one]))
            ledger.trim(other, 0)
            ledger.share(one, other, length)
            cells[other] = cells[one][:length]
        elif operation == "trim":
            length = min(amount, len(cells[one]))
            ledger.trim(one, length)
            del cells[one][length:]
        for sequence in (one,) if operation == "private" else ():
            others = {id(cell) for place, held in enumerate(cells) if place != sequence for cell in held}
            assert ledger.private(sequence) == sum(id(cell) not in others for cell in cells[sequence])
        assert [ledger.length(sequence) for sequence in range(SEQUENCES)] == [len(held) for held in cells]
        assert ledger.used == len({id(cell) for held in cells for cell in held})
        assert ledger.free == 1000 - ledger.used
    for sequence in range(SEQUENCES):
        ledger.trim(sequence, 0)
    assert ledger.used == 0
