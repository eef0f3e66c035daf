"""All of Anthropic's endpoints."""

from typing import Final

from litestar import Router

from camelid.api.anthropic.errors import ANTHROPIC_EXCEPTION_HANDLERS
from camelid.api.anthropic.messages import count_tokens, messages

__all__ = ("ANTHROPIC_ROUTES",)

ANTHROPIC_ROUTES: Final = Router(
    "/", route_handlers=[messages, count_tokens], exception_handlers=ANTHROPIC_EXCEPTION_HANDLERS
)
