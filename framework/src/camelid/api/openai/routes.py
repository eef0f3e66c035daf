"""All of OpenAI's endpoints."""

from typing import Final

from litestar import Router

from camelid.api.openai.chat import chat_completions
from camelid.api.openai.completions import completions
from camelid.api.openai.embeddings import openai_embeddings
from camelid.api.openai.errors import OPENAI_EXCEPTION_HANDLERS
from camelid.api.openai.models import model, models
from camelid.api.openai.rerank import openai_rerank

__all__ = ("OPENAI_ROUTES",)

OPENAI_ROUTES: Final = Router(
    "/",
    route_handlers=[chat_completions, completions, openai_embeddings, openai_rerank, models, model],
    exception_handlers=OPENAI_EXCEPTION_HANDLERS,
)
