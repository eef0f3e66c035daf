"""GET / and GET /api/version, which clients use to find the server, and Camelid's own GET /api/health (contract 8)."""

import msgspec
from litestar import HttpMethod, Response, get, route

import camelid
from camelid.api.description import Description
from camelid.api.request import ApiServices
from camelid.api.responses import json_reply, text_reply

__all__ = ("health", "root", "version")


class VersionReply(msgspec.Struct):
    """A version of Ollama."""

    version: str


class Health(msgspec.Struct):
    """How the server is."""

    status: str
    version: str
    """Camelid's own."""
    models_loaded: int
    plugins_broken: int
    """`camelid plugins` says which, and why."""


@route("/", http_method=[HttpMethod.GET, HttpMethod.HEAD], opt={"description": Description(text=True)})
async def root() -> Response[bytes]:
    """Say that the server is there, in the words that clients look for."""
    return text_reply("Ollama is running")


@route(
    "/api/version", http_method=[HttpMethod.GET, HttpMethod.HEAD], opt={"description": Description(answer=VersionReply)}
)
async def version(services: ApiServices) -> Response[bytes]:
    """The version of Ollama that the server is compatible with: clients refuse old ones."""
    return json_reply(VersionReply(services.settings.reported_version))


@get("/api/health", opt={"description": Description(answer=Health)})
async def health(services: ApiServices) -> Response[bytes]:
    """Tell a supervisor that requests are answered, without loading or reading anything."""
    broken = [record for record in services.plugins.records if record.status == "broken"]
    return json_reply(
        Health(
            status="ok",
            version=camelid.__version__,
            models_loaded=len(services.pool.running()),
            plugins_broken=len(broken),
        )
    )
