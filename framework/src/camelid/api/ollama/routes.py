"""All of Ollama's endpoints."""

from typing import Final

from litestar.types import ControllerRouterHandler

from camelid.api.ollama.blobs import blob_exists, upload_blob
from camelid.api.ollama.chat import chat
from camelid.api.ollama.cloud import status, web_fetch, web_search
from camelid.api.ollama.compare import compare
from camelid.api.ollama.create import create
from camelid.api.ollama.embed import embed, embeddings
from camelid.api.ollama.generate import generate
from camelid.api.ollama.models import copy, remove, tags
from camelid.api.ollama.ps import running
from camelid.api.ollama.pull import pull
from camelid.api.ollama.push import push
from camelid.api.ollama.rerank import rerank
from camelid.api.ollama.root import health, root, version
from camelid.api.ollama.show import show, show_by_query
from camelid.api.ollama.tokenize import detokenize, tokenize

__all__ = ("ROUTES",)

ROUTES: Final[tuple[ControllerRouterHandler, ...]] = (
    root,
    version,
    health,
    status,
    web_search,
    web_fetch,
    generate,
    chat,
    embed,
    embeddings,
    rerank,
    tokenize,
    detokenize,
    compare,
    tags,
    running,
    show,
    show_by_query,
    copy,
    remove,
    blob_exists,
    upload_blob,
    create,
    pull,
    push,
)
