"""POST /v1/rerank, which OpenAI does not have but servers of its form do; Cohere's client asks /v2/rerank, others
/rerank.
"""

from secrets import token_hex

import msgspec
from litestar import Response, post

from camelid.api.body import read_compatible_body
from camelid.api.description import Description
from camelid.api.disconnect import cancelled_when_gone
from camelid.api.openai.errors import OpenAIErrorReply
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.reranking import RerankBody, RerankResult, rerank_request, rerank_results
from camelid.api.responses import terminated_json_reply

__all__ = ("openai_rerank",)


class RerankUsage(msgspec.Struct):
    """Counts of tokens, over all pairs of query and document."""

    prompt_tokens: int
    total_tokens: int


class OpenAIReranking(msgspec.Struct):
    """The documents, the best first."""

    id: str
    object: str
    model: str
    results: list[RerankResult]
    usage: RerankUsage


@post(
    ["/v1/rerank", "/v2/rerank", "/rerank"],
    status_code=200,
    opt={
        "description": Description(
            body=RerankBody,
            answer=OpenAIReranking,
            errors=(400, 403, 404, 500, 503),
            error=OpenAIErrorReply,
        )
    },
)
async def openai_rerank(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Documents by how well they answer a query."""
    body = await read_compatible_body(request, RerankBody)
    asked = rerank_request(body)
    async with cancelled_when_gone(request.receive):
        found = await services.rerank(asked)
    results = rerank_results(asked, found, documents=body.return_documents)
    usage = RerankUsage(found.timings.prompt_tokens, found.timings.prompt_tokens)
    return terminated_json_reply(OpenAIReranking(f"rerank-{token_hex(12)}", "list", body.model, results, usage))
