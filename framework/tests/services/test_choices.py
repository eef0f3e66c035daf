import asyncio
from contextlib import aclosing

import pytest

from camelid.decoding.sampling import resolve_seed
from camelid.errors import WorkerDiedError
from camelid.services.choices import merged, sampling_of_choice
from camelid.types.options import SamplingOptions


class Stream:
    """Counts up to `most`; fails there if told so, else waits to be closed if told so."""

    def __init__(self, most: int, *, fails: bool = False, waits: bool = False) -> None:
        self.most = most
        self.fails = fails
        self.waits = waits
        self.closed = False

    async def __call__(self):
        try:
            for number in range(self.most):
                yield number
                await asyncio.sleep(0)
            if self.fails:
                raise WorkerDiedError("it died")
            if self.waits:
                await asyncio.Event().wait()
        finally:
            self.closed = True


async def test_all_items_in_the_order_of_their_streams():
    streams = [Stream(3), Stream(0), Stream(5)]
    found = [item async for item in merged([stream() for stream in streams])]
    assert [item for place, item in found if place == 0] == [0, 1, 2]
    assert [item for place, item in found if place == 2] == [0, 1, 2, 3, 4]
    assert len(found) == 8
    assert found[:2] == [(0, 0), (2, 0)]


@pytest.mark.parametrize("others", [[], [Stream(1, waits=True)], [Stream(1), Stream(9)]])
async def test_a_failure_ends_the_others(others):
    failing = Stream(2, fails=True)
    with pytest.raises(WorkerDiedError):
        async for _ in merged([stream() for stream in (failing, *others)]):
            pass
    assert all(stream.closed for stream in (failing, *others))


@pytest.mark.parametrize("count", [1, 3])
async def test_closing_closes_all(count):
    streams = [Stream(1, waits=True) for _ in range(count)]
    async with aclosing(merged([stream() for stream in streams])) as items:
        assert await anext(items) == (0, 0)
    assert all(stream.closed for stream in streams)


@pytest.mark.parametrize(("seed", "expected"), [(7, [7, 8, 9]), (0, [0, 1, 2]), (-1, [-1] * 3)])
def test_seeds(seed, expected):
    sampling = SamplingOptions(seed=seed)
    assert [sampling_of_choice(sampling, place).seed for place in range(3)] == expected


def test_no_seed_becomes_random_by_counting():
    sampling = SamplingOptions(seed=-2)
    seeds = [resolve_seed(sampling_of_choice(sampling, place).seed) for place in range(3)]
    assert seeds == [0xFFFF_FFFE, 0xFFFF_FFFF, 0]
