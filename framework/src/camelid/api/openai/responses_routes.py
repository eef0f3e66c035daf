"""The endpoints of OpenAI's responses."""

from typing import Final

from litestar import Router

from camelid.api.openai.errors import OPENAI_EXCEPTION_HANDLERS
from camelid.api.openai.responses import input_tokens, responses
from camelid.api.openai.responses_kept import cancel_response, delete_response, input_items, response

__all__ = ("RESPONSES_ROUTES",)

RESPONSES_ROUTES: Final = Router(
    "/",
    route_handlers=[responses, input_tokens, response, delete_response, cancel_response, input_items],
    exception_handlers=OPENAI_EXCEPTION_HANDLERS,
)
