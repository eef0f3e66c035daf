"""How much one render may compute and write.

Threads cannot be ended from outside, so the templates' own operations report here: every loop turn, call and filter
is a step, every text they make is spent, before it exists where its size can be known.
"""

import time
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = (
    "MAX_CHARACTERS",
    "MAX_REQUEST_SOURCE",
    "MAX_SOURCE",
    "MAX_STEPS",
    "Budget",
    "BudgetExceededError",
    "current_budget",
    "render_budget",
)

MAX_SOURCE: Final = 200_000
"""Characters of a template: several times the longest known, and a few seconds of compiling at worst."""
MAX_REQUEST_SOURCE: Final = 20_000
"""The same of a template in a request, which anybody may send again and again: compiling takes a second at worst."""
MAX_STEPS: Final = 400_000
"""A thousand turns of a long template need some ten thousand."""
MAX_CHARACTERS: Final = 64_000_000
"""All the text that one render makes, also what it throws away."""
MAX_SECONDS: Final = 10.0
_CONTAINERS: Final = (list, tuple, Mapping, KeysView, ValuesView, ItemsView)
_CONTAINER: Final = 8
"""What a list weighs beside its parts, in characters."""


class BudgetExceededError(Exception):
    """A template wanted more than it may have. Never leaves this package."""


class Budget:
    """The counters of one render."""

    __slots__ = ("_characters", "_deadline", "_steps")

    def __init__(self) -> None:
        self._steps = MAX_STEPS
        self._characters = MAX_CHARACTERS
        self._deadline = time.monotonic() + MAX_SECONDS

    def step(self) -> None:
        """Count one operation.

        Raises:
            BudgetExceededError: there were too many, or they took too long.
        """
        self._steps -= 1
        if self._steps < 0:
            raise BudgetExceededError(f"more than {MAX_STEPS:,} steps")
        if time.monotonic() > self._deadline:
            raise BudgetExceededError(f"more than {MAX_SECONDS:g} seconds")

    def spend(self, characters: int) -> None:
        """Count text that is about to be made.

        Raises:
            BudgetExceededError: it would be too much.
        """
        self._characters -= characters
        if self._characters < 0:
            raise BudgetExceededError(f"more than {MAX_CHARACTERS:,} characters")

    def spend_written(self, value: object, times: int = 1) -> None:
        """Count a value that is about to be written out as text, perhaps several times.

        Raises:
            BudgetExceededError: it would be too much.
        """
        self.spend(_weigh(value) * times)

    @staticmethod
    def check_weight(value: object) -> None:
        """Refuse a value that takes too long to compare, sort or search.

        Raises:
            BudgetExceededError: written out, it would be longer than all the text one render may make.
        """
        if isinstance(value, _CONTAINERS) and _weigh(value) > MAX_CHARACTERS:
            raise BudgetExceededError(f"a list of more than {MAX_CHARACTERS:,} characters")


def _weigh(value: object) -> int:
    """Characters that `value` takes written out: shared parts count as often as they occur, but are visited once."""
    weights: dict[int, int] = {}

    def weight(item: object) -> int:
        if isinstance(item, str):
            return len(item)
        if not isinstance(item, _CONTAINERS):
            return 1
        known = weights.get(id(item))
        if known is None:
            parts = (*item.keys(), *item.values()) if isinstance(item, Mapping) else tuple(item)
            known = weights[id(item)] = _CONTAINER + sum(map(weight, parts))
        return known

    return weight(value)


_current: ContextVar[Budget | None] = ContextVar("render_budget", default=None)


@contextmanager
def render_budget() -> Iterator[Budget]:
    """A fresh budget for what is rendered inside, also by other parts of this package."""
    budget = Budget()
    token = _current.set(budget)
    try:
        yield budget
    finally:
        _current.reset(token)


def current_budget() -> Budget:
    """The budget of the render that is going on.

    Raises:
        BudgetExceededError: none is: constant parts of a template are not computed ahead.
    """
    budget = _current.get()
    if budget is None:
        raise BudgetExceededError("nothing may be computed outside a render")
    return budget
