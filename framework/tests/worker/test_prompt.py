import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.contracts.tokenizer import Tokenizer
from camelid.errors import PromptTooLongError, RequestError
from camelid.types.options import SamplingOptions
from camelid.wire.messages import Submit
from camelid.worker.embedding import embedding_tokens
from camelid.worker.prompt import prompt_tokens


class Letters(Tokenizer):
    """A token for each character, between as many special ones as are asked for."""

    def __init__(self, before: int = 1, after: int = 0) -> None:
        self.before, self.after = before, after

    @property
    def vocabulary_size(self) -> int:
        return 130

    @property
    def end_tokens(self) -> frozenset[int]:
        return frozenset({129})

    def encode(self, text, *, add_special, parse_special):
        plain = list(text.encode())
        return [128] * self.before + plain + [129] * self.after if add_special else plain

    def token_bytes(self, token):
        return bytes((token,))


@given(st.integers(0, 60), st.integers(1, 40), st.integers(-1, 50), st.booleans(), st.sampled_from([str, tuple]))
def test_any_prompt_fits_afterwards_and_ends_as_before(length, context, num_keep, begins, kind):
    tokenizer = Letters(before=1 if begins else 0)
    text = "".join(chr(33 + place) for place in range(length))
    whole = tuple(tokenizer.encode(text, add_special=True, parse_special=True))
    prompt = text if kind is str else whole
    submit = Submit(1, prompt, SamplingOptions(num_keep=num_keep))
    if not whole:
        with pytest.raises(RequestError):
            prompt_tokens(submit, tokenizer, context)
        return
    tokens = prompt_tokens(submit, tokenizer, context)
    if len(whole) < context:
        assert tokens == whole
        return
    kept = len(whole) if num_keep < 0 else num_keep + begins
    kept = max(0, min(kept, context - 4))
    assert tokens[:kept] == whole[:kept]
    assert tokens[kept:] == whole[-(len(tokens) - kept) :]
    assert len(tokens) == kept + max(1, (context - kept) // 2)
    assert len(tokens) < max(2, context)


def test_a_prompt_that_may_not_be_cut_is_refused_with_the_contracts_words():
    for forbidden in ({"truncate": False}, {"shift": False}):
        with pytest.raises(PromptTooLongError) as caught:
            prompt_tokens(Submit(1, "a" * 20, **forbidden), Letters(), 21)
        assert str(caught.value).startswith("the prompt is longer than the context length currently available to the")
        assert caught.value.reason == "21 tokens, context of 21"
    assert len(prompt_tokens(Submit(1, "a" * 19, truncate=False), Letters(), 21)) == 20


@given(st.integers(0, 30), st.integers(0, 2), st.integers(0, 2), st.integers(1, 20))
def test_inputs_keep_their_special_tokens_when_they_are_cut(length, before, after, most):
    tokenizer = Letters(before, after)
    text = "".join(chr(33 + place) for place in range(length))
    whole = tokenizer.encode(text, add_special=True, parse_special=False) or [129]
    if len(whole) > most and most <= before + after:
        with pytest.raises(RequestError, match="input after truncation exceeds maximum context length"):
            embedding_tokens(text, tokenizer, most, truncate=True)
        return
    tokens = embedding_tokens(text, tokenizer, most, truncate=True)
    if len(whole) <= most:
        assert tokens == whole
    else:
        assert tokens == whole[: most - after] + whole[len(whole) - after :]
        assert len(tokens) == most
        with pytest.raises(PromptTooLongError, match="the input length exceeds the context length"):
            embedding_tokens(text, tokenizer, most, truncate=False)
