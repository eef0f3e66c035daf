"""Which tokens end an answer, whatever else a model's files say: what llama.cpp knows of the families of models."""

from collections.abc import Collection, Mapping
from typing import Final

__all__ = ("DISPLAYED", "END", "ending")

END: Final = frozenset(
    {
        *("<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<|eom_id|>"),
        *("<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "</s>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<eos>"),
        *("<end_of_utterance>", "<turn|>", "<|tool_response>", "<\uff5cend\u2581of\u2581sentence\uff5c>"),
    }
)
"""Control tokens, also where a file says that they are text."""
DISPLAYED: Final = frozenset({"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"})
"""What the answers of gpt-oss are made of: text, also where a file says that it is not."""
_FILLING: Final = frozenset({"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"})
_REPOSITORY: Final = frozenset({"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>", "<|file_sep|>"})


def ending(control: Mapping[str, int], named: Collection[int]) -> tuple[set[int], set[int]]:
    """The tokens that end an answer, and those that look so and are text in this model.

    Args:
        control: the model's control tokens, by their texts.
        named: what its file names as an end.
    """
    ends = {token for text, token in control.items() if text in END | _FILLING | _REPOSITORY}
    displayed: set[int] = set()
    calls = {"<|return|>", "<|call|>"} <= control.keys() or (
        "<|flush|>" in control and bool({"<|call|>", "<|calls|>"} & control.keys())
    )
    if calls and "<|end|>" in control:
        displayed.add(control["<|end|>"])
    if "<|tool_response>" in control and "</s>" in control:
        ends.discard(control["</s>"])
    return (ends | set(named)) - displayed, displayed
