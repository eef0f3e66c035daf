import pytest


@pytest.mark.parametrize(
    ("markup", "text"),
    [((), ""), (("<|answer|>",), "<|answer|>"), (("<tool_call>", "<|turn|>"), "")],
)
def test_control_tokens_are_text_if_the_server_asks_for_them(conversation, starts, ask, markup, text):
    talk = conversation()
    # Between two control tokens there is nothing but one: the echo model says that.
    talk.run(starts.echo(), ask(1, "<|answer|><|answer|>", num_predict=1, markup=markup))
    assert talk.text(1) == text
