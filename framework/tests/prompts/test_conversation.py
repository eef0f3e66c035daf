import pytest

from camelid.prompts.conversation import Conversation
from camelid.types.messages import Message


@pytest.mark.parametrize(
    ("think", "thinks", "level"),
    [(None, False, ""), (False, False, ""), (True, True, "medium"), ("low", True, "low"), ("max", True, "max")],
)
def test_thinking_has_a_level(think, thinks, level):
    conversation = Conversation(think=think)
    assert (conversation.thinks, conversation.think_level) == (thinks, level)


def test_a_bare_prompt_is_a_user_turn():
    assert Conversation(prompt="hi").turns == (Message(role="user", content="hi"),)


def test_messages_outrank_the_prompt():
    messages = (Message(role="system", content="x"),)
    assert Conversation(prompt="hi", messages=messages).turns == messages
    assert Conversation().turns == ()
