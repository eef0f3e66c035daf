import pytest

from camelid.prompts.budget import (
    MAX_CHARACTERS,
    MAX_STEPS,
    Budget,
    BudgetExceededError,
    current_budget,
    render_budget,
)


def test_steps_run_out():
    budget = Budget()
    for _ in range(MAX_STEPS):
        budget.step()
    with pytest.raises(BudgetExceededError, match="steps"):
        budget.step()


def test_characters_run_out():
    budget = Budget()
    budget.spend(MAX_CHARACTERS)
    with pytest.raises(BudgetExceededError, match="characters"):
        budget.spend(1)


def doubled(times: int) -> list[object]:
    """A list that holds itself twice, again and again: 2 to the power of `times` ones."""
    value: list[object] = [1]
    for _ in range(times):
        value = [value, value]
    return value


def test_shared_parts_count_as_often_as_they_occur():
    Budget().check_weight(doubled(10))
    with pytest.raises(BudgetExceededError, match="list"):
        Budget().check_weight(doubled(400))


def test_written_values_are_spent_whole():
    budget = Budget()
    budget.spend_written({"key": ["x" * (MAX_CHARACTERS - 100)]})
    with pytest.raises(BudgetExceededError):
        budget.spend_written(["y" * 100])


def test_renders_do_not_share():
    with render_budget() as outer:
        with render_budget() as inner:
            assert current_budget() is inner
        assert current_budget() is outer
    with pytest.raises(BudgetExceededError):
        current_budget()
