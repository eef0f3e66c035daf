"""POST /api/rerank, which Ollama's users ask for."""

import msgspec
from litestar import Response, post

from camelid.api.body import read_body
from camelid.api.description import Description
from camelid.api.disconnect import cancelled_when_gone
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.reranking import RerankBody, RerankResult, rerank_request, rerank_results
from camelid.api.responses import json_reply

__all__ = ("rerank",)


class RerankReply(msgspec.Struct, omit_defaults=True):
    """The documents, the best first."""

    model: str
    results: list[RerankResult]
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0


@post(
    "/api/rerank",
    opt={"description": Description(body=RerankBody, answer=RerankReply, errors=(400, 403, 404, 500, 503))},
)
async def rerank(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """Documents by how well they answer a query."""
    body = await read_body(request.receive, RerankBody)
    asked = rerank_request(body)
    async with cancelled_when_gone(request.receive):
        found = await services.rerank(asked)
    return json_reply(
        RerankReply(
            model=body.model,
            results=rerank_results(asked, found, documents=body.return_documents),
            total_duration=found.timings.total_duration,
            load_duration=found.timings.load_duration,
            prompt_eval_count=found.timings.prompt_tokens,
        )
    )
