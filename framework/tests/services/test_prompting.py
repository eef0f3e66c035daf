"""The search for the longest conversation that fits, against trying them all."""

from collections.abc import Sequence
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from camelid.prompts.rendered import RenderedPrompt
from camelid.services.conversation import kept_from, turn_starts
from camelid.services.prompting import fitting_prompt
from camelid.types.messages import Message

messages = st.lists(
    st.builds(
        Message, role=st.sampled_from(["system", "user", "assistant", "tool"]), content=st.text("aä", max_size=9)
    ),
    min_size=1,
    max_size=12,
)


class ByteClient:
    """Counts like a worker whose tokens are bytes."""

    def __init__(self, context_length: int) -> None:
        self.ready = SimpleNamespace(facts=SimpleNamespace(context_length=context_length))

    async def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> tuple[int, ...]:
        assert parse_special
        return (256,) * add_special + tuple(text.encode())


def render(conversation: Sequence[Message]) -> RenderedPrompt:
    return RenderedPrompt("".join(f"{message.role[0]}:{message.content}\n" for message in conversation))


@given(messages, st.integers(-3, 12) | st.integers(-100, 0))
async def test_the_longest_conversation_that_fits_is_kept(conversation: list[Message], room: int):
    limit = len(render(conversation).text.encode()) + room
    prompt = await fitting_prompt(ByteClient(limit), render, conversation, truncate=True)
    candidates = [render(kept_from(conversation, start)).text for start in turn_starts(conversation)]
    fitting = [text for text in candidates if 1 + len(text.encode()) < limit]
    assert prompt.text == (fitting or candidates[-1:])[0]
    if prompt.tokens is not None:
        assert prompt.content == (256, *prompt.text.encode())
        assert not prompt.add_special


@given(messages)
async def test_all_is_kept_if_nothing_may_be_left_out(conversation: list[Message]):
    prompt = await fitting_prompt(ByteClient(4), render, conversation, truncate=False)
    assert (prompt.content, prompt.add_special) == (render(conversation).text, True)


@given(messages)
def test_turns_begin_with_questions(conversation: list[Message]):
    starts = turn_starts(conversation)
    assert starts[0] == 0
    assert starts[-1] == len(conversation) - 1
    assert starts == sorted(set(starts))
    assert {0, *starts} >= {place for place, message in enumerate(conversation) if message.role == "user"}
    assert all(conversation[start].role == "user" for start in starts[1:-1])
    for start in starts:
        kept = kept_from(conversation, start)
        assert kept[-1] is conversation[-1]
        assert [m for m in kept if m.role == "system"] == [m for m in conversation if m.role == "system"]
