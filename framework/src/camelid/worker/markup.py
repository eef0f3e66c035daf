"""Control tokens that the server wants to read."""

from camelid.contracts.tokenizer import Tokenizer
from camelid.wire.messages import Submit

__all__ = ("markup_tokens",)


def markup_tokens(submit: Submit, tokenizer: Tokenizer) -> dict[int, bytes]:
    """What control tokens stand for in the answer to `submit`; tags that are plain text to the model are left out."""
    found: dict[int, bytes] = {}
    for text in submit.markup:
        tokens = tokenizer.encode(text, add_special=False, parse_special=True)
        if len(tokens) == 1 and not tokenizer.token_bytes(tokens[0]):
            found[tokens[0]] = text.encode()
    return found
