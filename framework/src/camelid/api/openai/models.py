"""GET /v1/models and /v1/models/{model} (contract 9.5)."""

import msgspec
from litestar import Response, get

from camelid.api.description import Description
from camelid.api.openai.errors import OpenAIErrorReply
from camelid.api.request import ApiRequest, ApiServices
from camelid.api.responses import terminated_json_reply
from camelid.services.library import ShowRequest
from camelid.store.stored import StoredModel

__all__ = ("model", "models")


class OpenAIModel(msgspec.Struct):
    """A model."""

    id: str
    object: str
    created: int
    owned_by: str
    """The namespace of its name."""


class OpenAIModels(msgspec.Struct):
    """All of them. Null if there are none, as Ollama says it; clients take that for an empty list."""

    object: str
    data: list[OpenAIModel] | None


def _shown(stored: StoredModel, name: str) -> OpenAIModel:
    return OpenAIModel(name, "model", int(stored.modified_at), stored.name.namespace)


@get("/v1/models", opt={"description": Description(answer=OpenAIModels, error=OpenAIErrorReply)})
async def models(services: ApiServices) -> Response[bytes]:
    """Every model, the newest first."""
    rows = await services.library.rows()
    return terminated_json_reply(
        OpenAIModels("list", [_shown(row.model, row.model.name.short) for row in rows] or None)
    )


@get(
    "/v1/models/{name:path}",
    opt={"description": Description(answer=OpenAIModel, errors=(400, 403, 404), error=OpenAIErrorReply)},
)
async def model(request: ApiRequest, services: ApiServices) -> Response[bytes]:
    """One model. Names may have slashes."""
    asked = str(request.path_params["name"]).removeprefix("/")
    report = await services.library.show(ShowRequest(model=asked))
    return terminated_json_reply(_shown(report.model, asked))
