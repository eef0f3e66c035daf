"""A request's prompt as tokens that fit the context (contract 3.7)."""

from collections.abc import Sequence

from camelid.contracts.media import Media, MediaSpan, MediaTokenizer, media_tokens
from camelid.contracts.tokenizer import Tokenizer
from camelid.errors import PromptTooLongError, RequestError
from camelid.wire.messages import Submit

__all__ = ("check_tokens", "prompt_tokens", "prompt_with_media")

_TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the"
    " context length in settings, or use a model with a longer context length"
)


def check_tokens(tokens: Sequence[int], tokenizer: Tokenizer) -> None:
    """Refuse ids that the vocabulary does not have: a runtime would read beyond its tables.

    Raises:
        RequestError: there is one.
    """
    size = tokenizer.vocabulary_size
    if tokens and not 0 <= min(tokens) <= max(tokens) < size:
        wrong = next(token for token in tokens if not 0 <= token < size)
        raise RequestError(f"token {wrong} is not in this model's vocabulary of {size} tokens")


def prompt_tokens(submit: Submit, tokenizer: Tokenizer, context_length: int) -> tuple[int, ...]:
    """Tokenize a prompt, and cut it if it does not fit: the first `num_keep` tokens (and the begin token) stay, of the
    rest as much of the end as leaves half of the remaining window to the answer.

    Raises:
        RequestError: the prompt has no token, or one that is not in the vocabulary.
        PromptTooLongError: it is too long, and `truncate` or `shift` forbids to cut it.
    """
    if isinstance(submit.prompt, str):
        text = tuple(tokenizer.encode(submit.prompt, add_special=submit.add_special, parse_special=True))
        tokens = submit.before + text
        check_tokens(submit.before, tokenizer)
    else:
        tokens = submit.before + submit.prompt
        check_tokens(tokens, tokenizer)
    if not tokens:
        raise RequestError("the prompt is empty: this model's tokenizer makes no token of it")
    if len(tokens) < context_length:
        return tokens
    if not (submit.truncate and submit.shift):
        raise PromptTooLongError(_TOO_LONG, reason=f"{len(tokens)} tokens, context of {context_length}")
    begin = tokenizer.encode("", add_special=True, parse_special=False)
    wanted = submit.sampling.num_keep
    keep = len(tokens) if wanted < 0 else wanted + (tokens[:1] == tuple(begin[:1]))
    keep = max(0, min(keep, context_length - 4))
    tail = max(1, (context_length - keep) // 2)
    return tokens[:keep] + tokens[-tail:]


def prompt_with_media(
    submit: Submit, tokenizer: Tokenizer, media_tokenizer: MediaTokenizer, context_length: int
) -> tuple[tuple[int, ...], tuple[MediaSpan, ...]]:
    """Tokenize a prompt with media. It is never cut: nobody could say what is left of a picture.

    Returns:
        The token ids, with negative ones in place of media, and what they stand for. The caller closes the media.

    Raises:
        RequestError: a file is none that the model can take, or stands at the very end of the prompt.
        PromptTooLongError: it does not fit the context.
    """
    if not isinstance(submit.prompt, str) or submit.prompt.count(submit.media_marker) != len(submit.media):
        raise RequestError("the prompt does not say where each of its pictures belongs")
    check_tokens(submit.before, tokenizer)
    first, *others = submit.prompt.split(submit.media_marker)
    parts: list[str | bytes] = [first] if first else []
    for file, text in zip(submit.media, others, strict=True):
        parts += [file, text] if text else [file]
    tokens = list(submit.before)
    spans: list[MediaSpan] = []
    for part in media_tokenizer.tokenize(parts, add_special=submit.add_special):
        if isinstance(part, Media):
            spans.append(MediaSpan(len(tokens), part))
            tokens += media_tokens(part)
        else:
            tokens += part
    problem: RequestError | None = None
    if spans and spans[-1].end == len(tokens):
        problem = RequestError("the prompt ends with a picture: put some text after it")
    elif len(tokens) >= context_length:
        problem = PromptTooLongError(_TOO_LONG, reason=f"{len(tokens)} tokens, context of {context_length}")
    if problem is not None:
        for span in spans:
            span.media.close()
        raise problem
    return tuple(tokens), tuple(spans)
