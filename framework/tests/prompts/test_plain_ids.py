from camelid.prompts.conversation import Conversation
from camelid.prompts.jinja import JinjaTemplate
from camelid.prompts.plain_ids import with_plain_ids
from camelid.types.messages import FunctionCall, Message, ToolCall

PARTICULAR = (
    "{% for m in messages %}{% for call in m.tool_calls or [] %}"
    "{% if call.id is not defined or call.id | length != 9 %}{{ raise_exception('ids have nine letters') }}{% endif %}"
    "{{ call.function.name }}={{ call.id }};{% endfor %}"
    "{% if m.role == 'tool' %}{{ m.content }}={{ m.tool_call_id }};{% endif %}{% endfor %}"
)


def calling(*calls: tuple[str, str]) -> Message:
    made = (ToolCall(FunctionCall(name), identity) for name, identity in calls)
    return Message(role="assistant", tool_calls=tuple(made))


def result(content: str, *, name: str = "", identity: str = "") -> Message:
    return Message(role="tool", content=content, tool_name=name, tool_call_id=identity)


def rendered(*messages: Message) -> str:
    return JinjaTemplate(PARTICULAR).render(Conversation(messages=messages)).text


def test_ids_that_a_template_refuses_are_replaced():
    messages = (
        calling(("a", "call_x"), ("b", "call_y")),
        result("B", identity="call_y"),
        result("A", identity="call_x"),
    )
    assert rendered(*messages) == "a=000000001;b=000000002;B=000000002;A=000000001;"


def test_results_without_ids_belong_to_their_name_or_to_the_first_call_that_waits():
    messages = (calling(("a", ""), ("b", "")), result("B", name="b"), result("A"), calling(("a", "")), result("C"))
    assert rendered(*messages) == "a=000000001;b=000000002;B=000000002;A=000000001;a=000000003;C=000000003;"


def test_a_result_of_nothing_has_an_id_too():
    assert with_plain_ids([result("A")]) == (result("A", identity="000000001"),)


def test_ids_that_the_template_takes_stay():
    assert rendered(calling(("a", "abcdefghi")), result("A", identity="abcdefghi")) == "a=abcdefghi;A=abcdefghi;"
