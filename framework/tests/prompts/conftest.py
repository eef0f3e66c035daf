from collections.abc import Callable

import pytest

from camelid.prompts import budget
from camelid.prompts.conversation import Conversation
from camelid.types.messages import Function, FunctionCall, Message, Tool, ToolCall

Weather = Callable[..., Conversation]


@pytest.fixture
def weather() -> Weather:
    """A whole round trip with a tool; keyword arguments replace parts of it."""

    def conversation(**parts: object) -> Conversation:
        parameters = {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where?", "minLength": 2},
                "days": {"type": ["integer", "null"], "enum": [1, 3]},
            },
            "required": ["city"],
        }
        defaults = {
            "messages": (
                Message(role="system", content="Be brief."),
                Message(role="user", content="Rain in Köln & <Bonn>?"),
                Message(
                    role="assistant",
                    tool_calls=(
                        ToolCall(function=FunctionCall("weather", {"city": "Köln", "days": 1.0}), id="call_1"),
                    ),
                ),
                Message(role="tool", content="none", tool_name="weather", tool_call_id="call_1"),
            ),
            "tools": (Tool(function=Function("weather", "Tells the weather.", parameters)),),
        }
        return Conversation(**(defaults | parts))

    return conversation


@pytest.fixture
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A twentieth of the steps that a render may take, so that using them up is quick."""
    monkeypatch.setattr(budget, "MAX_STEPS", budget.MAX_STEPS // 20)
