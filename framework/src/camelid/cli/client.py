"""A small client of the server's API, for the commands."""

import json
import ssl
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx
import msgspec

from camelid.cli.messages import (
    AnswerLine,
    ChatBody,
    CompareBody,
    CompareLine,
    CreateBody,
    GenerateBody,
    ListedModel,
    ProgressLine,
    RunningModel,
    ShownModel,
    StreamLine,
)
from camelid.errors import (
    CamelidError,
    ModelNotFoundError,
    RequestError,
    ServerBusyError,
)
from camelid.types.json import JsonObject

__all__ = ("Client", "Health", "NoSuchRouteError", "ServerUnreachableError")

T = TypeVar("T")
Line = TypeVar("Line", bound=StreamLine)

_CONNECT_SECONDS: Final = 10.0
_PATIENT: Final = httpx.Timeout(None, connect=_CONNECT_SECONDS)
_PROMPT: Final = httpx.Timeout(_CONNECT_SECONDS)
_AT_ONCE: Final = httpx.Timeout(3.0)
_INSECURE: Final = "insecure protocol http"
"""All that servers say of it, Ollama's too."""
_CLASSES: Final[dict[int, type[CamelidError]]] = {400: RequestError, 404: ModelNotFoundError, 503: ServerBusyError}


class ServerUnreachableError(CamelidError):
    """Nothing listens at the server's address."""

    status = 503


class NoSuchRouteError(CamelidError):
    """The server does not know the address that was asked; it may be older, newer, or another program."""

    status = 404


class Health(msgspec.Struct, frozen=True):
    """The answer of Camelid's own `/api/health`."""

    version: str
    models_loaded: int = 0
    plugins_broken: int = 0


class _Models(msgspec.Struct):
    models: tuple[msgspec.Raw, ...] | None = None


class _Embeddings(msgspec.Struct):
    embeddings: tuple[tuple[float, ...], ...] = ()


class _Failure(msgspec.Struct):
    error: str = ""


class Client:
    """Speaks to one server. Every failure is a `CamelidError` with the server's own sentence.

    A model may take minutes to load, so only connecting has a time limit. Proxies of the environment are not asked:
    they are for the way to the registries (contract 18).
    """

    def __init__(self, url: str) -> None:
        """Talk to the server at `url`, for example `http://127.0.0.1:11434`."""
        self.url = url
        self._http = httpx.Client(
            base_url=url,
            timeout=_PATIENT,
            trust_env=False,
            verify=ssl.create_default_context() if url.startswith("https") else False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def heartbeat(self) -> None:
        """Return if a server answers.

        Raises:
            ServerUnreachableError: none does.
        """
        self._request("HEAD", "/", timeout=_PROMPT)

    def health(self) -> Health | None:
        """How a Camelid is that answers there; None if another server does.

        Raises:
            ServerUnreachableError: none does, or not at once.
        """
        try:
            return self._decode(self._request("GET", "/api/health", timeout=_AT_ONCE), Health)
        except ServerUnreachableError:
            raise
        except CamelidError:
            return None

    def models(self) -> tuple[ListedModel, ...]:
        """What is in the store, newest first."""
        return self._list("/api/tags", ListedModel)

    def running(self) -> tuple[RunningModel, ...]:
        """What is loaded."""
        return self._list("/api/ps", RunningModel)

    def show(
        self, model: str, *, verbose: bool = False, system: str = "", options: JsonObject | None = None
    ) -> ShownModel:
        """Everything about one model.

        Args:
            model: its name.
            verbose: send long lists too.
            system: stands in the Modelfile in place of the model's own message.
            options: stand there over the model's own.

        Raises:
            ModelNotFoundError: it is not in the store.
        """
        given: JsonObject = {"verbose": verbose, "system": system, "options": options}
        body: JsonObject = {"model": model, **{name: value for name, value in given.items() if value}}
        return self._decode(self._request("POST", "/api/show", body), ShownModel)

    def copy(self, source: str, destination: str) -> None:
        """Give a model a second name."""
        self._request("POST", "/api/copy", {"source": source, "destination": destination})

    def delete(self, model: str) -> None:
        """Remove a model from the store."""
        self._request("DELETE", "/api/delete", {"model": model})

    def load(
        self,
        model: str,
        *,
        keep_alive: str | int | None = None,
        options: JsonObject | None = None,
        think: bool | str | None = None,
    ) -> None:
        """Load a model, or with `keep_alive` 0 unload it; one that cannot `think` is refused."""
        body = GenerateBody(model, think=think, keep_alive=keep_alive, options=options or {})
        self._request("POST", "/api/generate", body)

    def embed(self, body: JsonObject) -> tuple[tuple[float, ...], ...]:
        """The vectors of `/api/embed`."""
        return self._decode(self._request("POST", "/api/embed", body), _Embeddings).embeddings

    def has_blob(self, digest: str) -> bool:
        """Whether the server holds a blob already."""
        try:
            self._request("HEAD", f"/api/blobs/{digest}")
        except ModelNotFoundError:
            return False
        return True

    def upload(self, digest: str, content: Iterable[bytes]) -> None:
        """Send a blob; `content` is read as it goes out."""
        with self._translated():
            response = self._http.post(f"/api/blobs/{digest}", content=content)
        self._check(response)

    def generate(self, body: GenerateBody) -> Generator[AnswerLine, None, None]:
        """Stream an answer. Closing the iterator stops the generation."""
        return self._stream("/api/generate", body, AnswerLine)

    def chat(self, body: ChatBody) -> Generator[AnswerLine, None, None]:
        """Stream the next turn of a chat. Closing the iterator stops the generation."""
        return self._stream("/api/chat", body, AnswerLine)

    def compare(self, body: CompareBody) -> Generator[CompareLine, None, None]:
        """Ask several models, or one on several backends, the same. Closing the iterator stops it.

        Raises:
            NoSuchRouteError: the server cannot compare.
        """
        return self._stream("/api/compare", body, CompareLine)

    def create(self, body: CreateBody) -> Generator[ProgressLine, None, None]:
        """Make a model; the iterator must be exhausted."""
        return self._stream("/api/create", body, ProgressLine)

    def pull(self, model: str, *, insecure: bool = False) -> Generator[ProgressLine, None, None]:
        """Fetch a model from where it comes from; the iterator must be exhausted."""
        return self._transfer("/api/pull", model, insecure=insecure)

    def push(self, model: str, *, insecure: bool = False) -> Generator[ProgressLine, None, None]:
        """Send a model to where its name says; the iterator must be exhausted.

        Raises:
            NoSuchRouteError: the server cannot push.
        """
        return self._transfer("/api/push", model, insecure=insecure)

    def _transfer(self, path: str, model: str, *, insecure: bool) -> Generator[ProgressLine, None, None]:
        body: JsonObject = {"model": model, **({"insecure": True} if insecure else {})}
        try:
            yield from self._stream(path, body, ProgressLine)
        except CamelidError as error:
            if error.message != _INSECURE:
                raise
            raise RequestError(f"{_INSECURE}: if that is what you want, allow it with --insecure") from error

    def _list(self, path: str, kind: type[T]) -> tuple[T, ...]:
        found = self._decode(self._request("GET", path), _Models)
        return tuple(msgspec.json.decode(entry, type=kind) for entry in found.models or ())

    def _request(self, method: str, path: str, body: object = None, *, timeout: httpx.Timeout = _PATIENT) -> bytes:
        content = None if body is None else _encoded(body)
        with self._translated():
            response = self._http.request(method, path, content=content, headers=_headers(content), timeout=timeout)
        self._check(response)
        return response.content

    def _stream(self, path: str, body: object, kind: type[Line]) -> Generator[Line, None, None]:
        content = _encoded(body)
        with self._translated(), self._http.stream("POST", path, content=content, headers=_headers(content)) as answer:
            if answer.is_error:
                answer.read()
            self._check(answer)
            rest = b""
            for piece in answer.iter_bytes():
                *lines, rest = (rest + piece).split(b"\n")
                yield from (self._line(line, kind) for line in lines if line.strip())
            if rest.strip():
                yield self._line(rest, kind)

    def _line(self, text: bytes, kind: type[Line]) -> Line:
        line = self._decode(text, kind)
        if line.error:
            raise CamelidError(line.error)
        return line

    def _decode(self, content: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError as error:
            raise CamelidError(
                f"{self.url} did not answer as Ollama's API does; check OLLAMA_HOST", reason=str(error)
            ) from error

    def _check(self, response: httpx.Response) -> None:
        """Raise the error that a response of 400 or above stands for."""
        if not response.is_error:
            return
        try:
            text = msgspec.json.decode(response.content, type=_Failure).error
        except msgspec.DecodeError:
            text = response.text.strip()
            if "\n" in text:  # the page of another program
                text = ""
            if response.status_code == NoSuchRouteError.status and response.request.method != "HEAD":
                raise NoSuchRouteError(f"{response.url} is not there: the server has no such route") from None
        message = text or f"{self.url} answered {response.status_code} {response.reason_phrase}; check OLLAMA_HOST"
        raise _CLASSES.get(response.status_code, CamelidError)(message, reason=f"HTTP {response.status_code}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn httpx's errors into ours."""
        try:
            yield
        except httpx.ConnectError as error:
            raise ServerUnreachableError(
                f"could not connect to a camelid server at {self.url}, run 'camelid serve' to start it",
                reason=str(error),
            ) from error
        except httpx.TimeoutException as error:
            raise ServerUnreachableError(
                f"the server at {self.url} did not answer in {_CONNECT_SECONDS:g} s", reason=str(error)
            ) from error
        except httpx.TransportError as error:
            raise CamelidError(
                f"the connection to {self.url} ended before the answer was complete", reason=str(error)
            ) from error


def _encoded(body: object) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # an argument with bytes that are no UTF-8: the server reads U+FFFD for each, as Go does
        return json.dumps(msgspec.to_builtins(body)).encode()


def _headers(content: bytes | None) -> dict[str, str]:
    return {} if content is None else {"Content-Type": "application/json"}
