import pytest

from camelid.errors import ModelError
from camelid.prompts.choose import choose_template
from camelid.prompts.conversation import Conversation
from camelid.prompts.renderers.find import RENDERERS, renderer_source
from camelid.types.capabilities import Capability
from camelid.types.messages import Message

CHAT = (
    Message(role="system", content="S"),
    Message(role="user", content="A?"),
    Message(role="assistant", content="B.", thinking="hm"),
    Message(role="user", content="C?"),
)


def rendered(name: str, think: bool | None = None, messages: tuple[Message, ...] = CHAT) -> str:
    template = choose_template(None, "", bos_token="<s>", eos_token="</s>", renderer=name)
    return template.render(Conversation(messages=messages, think=think)).text


CHATML = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\nB.<|im_end|>\n"
CHATML += "<|im_start|>user\nC?<|im_end|>\n<|im_start|>assistant\n"
CLOSED = "<think>\n\n</think>\n\n"
GLM = "[gMASK]<sop><|system|>S<|user|>A?<|assistant|></think>B.<|user|>C?<|assistant|>"
DEEPSEEK = "<s>S<｜User｜>A?<｜Assistant｜></think>B.<｜end▁of▁sentence｜><｜User｜>C?<｜Assistant｜>"
GEMMA = "<turn|>\n<|turn>user\nA?<turn|>\n<|turn>model\nB.<turn|>\n<|turn>user\nC?<turn|>\n<|turn>model\n"
FUNCTION_GEMMA = (
    "<s><start_of_turn>developer\nS<end_of_turn>\n<start_of_turn>user\nA?<end_of_turn>\n"
    "<start_of_turn>model\nB.<end_of_turn>\n<start_of_turn>user\nC?<end_of_turn>\n<start_of_turn>model\n"
)


@pytest.mark.parametrize(
    ("name", "thinking", "quiet"),
    [
        ("qwen3-vl-instruct", CHATML, CHATML),
        ("qwen3-vl-thinking", CHATML + "<think>\n", CHATML + "<think>\n"),
        ("qwen3-coder", CHATML, CHATML),
        ("qwen3.5", CHATML + "<think>\n", CHATML + CLOSED),
        ("nemotron-3-nano", CHATML + "<think>\n", CHATML + "<think></think>"),
        ("olmo3", CHATML, CHATML),
        ("olmo3-think", CHATML + "<think>", CHATML + "<think>"),
        ("lfm2", "<s>" + CHATML, "<s>" + CHATML),
        ("glm-4.7", GLM + "<think>", GLM + "</think>"),
        ("glm-ocr", GLM.replace("</think>", ""), GLM.replace("</think>", "")),
        ("deepseek3.1", DEEPSEEK + "<think>", DEEPSEEK + "</think>"),
        ("gemma4", "<s><|turn>system\n<|think|>\nS" + GEMMA, "<s><|turn>system\nS" + GEMMA),
        (
            "gemma4-large",
            "<s><|turn>system\n<|think|>\nS" + GEMMA,
            "<s><|turn>system\nS" + GEMMA + "<|channel>thought\n<channel|>",
        ),
        ("functiongemma", FUNCTION_GEMMA, FUNCTION_GEMMA),
    ],
)
def test_a_conversation_by_each_renderer(name, thinking, quiet):
    assert rendered(name, think=True) == thinking
    assert rendered(name, think=False) == quiet


@pytest.mark.parametrize("name", RENDERERS)
def test_every_renderer_can_do_without_a_system_message(name):
    text = rendered(name, messages=(Message(role="user", content="A?"),))
    assert "A?" in text
    assert "system" not in text
    assert "developer" not in text


def test_thoughts_since_the_last_question_are_kept():
    waiting = (*CHAT, Message(role="assistant", content="Wait.", thinking="mm"), Message(role="tool", content="4"))
    assert "<think>\nmm\n</think>\n\nWait." in rendered("qwen3.5", messages=waiting)
    assert "<think>mm</think>Wait." in rendered("glm-4.7", messages=waiting)
    assert "hm" not in rendered("qwen3.5", messages=waiting)
    assert "hm" not in rendered("glm-4.7", messages=waiting)


def test_the_files_own_template_comes_first():
    assert choose_template(None, "{{ 'own' }}", renderer="qwen3-coder").source == "{{ 'own' }}"
    assert choose_template("{{ .Prompt }}", "{{ 'own' }}", renderer="unheard-of").source == "{{ 'own' }}"
    written = "{{ range .Messages }}{{ .Content }}{{ end }}"
    assert choose_template(written, "", renderer="qwen3-coder").source == written
    assert choose_template("{{ .Prompt }}", "", renderer="qwen3-coder").source == renderer_source("qwen3-coder")


def test_an_unknown_renderer_fails_when_it_is_needed():
    template = choose_template("{{ .Prompt }}", "", renderer="unheard-of")
    assert template.capabilities == frozenset()
    with pytest.raises(ModelError) as caught:
        template.render(Conversation(messages=CHAT))
    assert caught.value.message == 'unknown renderer "unheard-of"'
    assert caught.value.status == 500


def test_capabilities_are_those_of_the_renderer():
    def able(name: str) -> frozenset[Capability]:
        return choose_template(None, "", renderer=name).capabilities

    assert able("qwen3-coder") == {Capability.TOOLS}
    assert able("qwen3.5") == {Capability.TOOLS, Capability.THINKING}
