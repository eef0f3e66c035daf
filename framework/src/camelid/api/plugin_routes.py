"""The routes of plugins that the setting `routes` names, served as the server's own are."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, cast
from urllib.parse import parse_qsl

from litestar import HttpMethod, Litestar, Response, route
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from camelid.api.body import received
from camelid.api.description import Description
from camelid.api.disconnect import cancelled_when_gone
from camelid.api.plugin_answers import answer_problem
from camelid.api.request import ApiRequest
from camelid.api.streaming import Stream
from camelid.contracts.route import HttpRequest, HttpResponse
from camelid.errors import CamelidError, ConfigurationError, HookError
from camelid.plugins.blame import place_of
from camelid.plugins.catalog import RegisteredRoute
from camelid.plugins.host import PluginHost
from camelid.plugins.threads import in_thread

__all__ = ("add_plugin_routes",)

LARGEST_BODY: Final = 16 << 20
"""Bytes of a request to a plugin."""
MOST_THREADS: Final = 8
"""In which plain functions of all plugins answer at once; further requests wait."""


def add_plugin_routes(app: Litestar, plugins: PluginHost, wanted: tuple[str, ...]) -> None:
    """Add the routes of some plugins.

    Args:
        app: with all routes of the server's own.
        plugins: what is installed.
        wanted: names of the plugins: the setting `routes`.

    Raises:
        ConfigurationError: a plugin is not loaded, has no routes, or wants a path that is taken.
    """
    threads = asyncio.Semaphore(MOST_THREADS)
    for name in wanted:
        for registered in _routes_of(plugins, name):
            path = registered.route.path
            for method in sorted(registered.route.methods):
                if _taken(app, path, method):
                    raise ConfigurationError(
                        f"{registered.distribution} wants to answer {method} {path}, which is answered already; "
                        f"take {name} out of the setting routes"
                    )
            app.register(_PluginRoute(registered, threads).handler())


def _routes_of(plugins: PluginHost, name: str) -> list[RegisteredRoute]:
    routes = [each for each in plugins.catalog.routes if each.plugin == name]
    if not routes:
        found = next((record for record in plugins.records if record.name == name), None)
        why = "is not installed" if found is None else f"is {found.status}, {found.reason or 'but has no routes'}"
        raise ConfigurationError(f"the setting routes names the plugin {name!r}, which {why}")
    return routes


def _taken(app: Litestar, path: str, method: str) -> bool:
    """Whether there is a route already that answers here, with whatever method."""
    try:
        app.asgi_router.handle_routing(path=path.replace("*", "anything"), method=HttpMethod(method).value)
    except NotFoundException:
        return False
    except MethodNotAllowedException:
        return True
    return True


class _PluginRoute:
    """Takes requests to a plugin's handler, and answers for it when it fails."""

    def __init__(self, registered: RegisteredRoute, threads: asyncio.Semaphore) -> None:
        self._registered = registered
        self._route = registered.route
        self._threads = threads

    def handler(self) -> HTTPRouteHandler:
        """What Litestar serves."""

        async def answer(request: ApiRequest) -> ASGIApp:
            return await self._answer(request)

        answer.__doc__ = f"A route of the plugin {self._registered.plugin}."
        path = self._route.path
        below = path.endswith("/*")
        paths = [path.removesuffix("/*"), path.removesuffix("*") + "{rest:path}"] if below else [path]
        methods = [HttpMethod(method) for method in sorted(self._route.methods)]
        return route(paths, http_method=methods, opt={"description": Description(text=True)})(answer)

    async def _answer(self, request: ApiRequest) -> ASGIApp:
        question = HttpRequest(
            method=request.method,
            path=request.scope["path"],
            query=tuple(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]},
            body=await received(request.receive, most=LARGEST_BODY),
        )
        async with cancelled_when_gone(request.receive):
            answer = await self._called(question)
        headers = {
            **{name.lower(): value for name, value in answer.headers.items()},
            "content-type": answer.content_type,
        }
        if isinstance(answer.body, bytes):
            whole = Response(answer.body, status_code=answer.status, headers=headers)
            return whole.to_asgi_response(None, request)
        return Stream(
            self._pieces(answer.body),
            bytes,
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
            failed=lambda _: None,
            status=answer.status,
        )

    async def _called(self, question: HttpRequest) -> HttpResponse:
        handler: Callable[[HttpRequest], object] = self._route.handler
        with self._blaming():
            on_loop = inspect.iscoroutinefunction(handler)
            answer = handler(question) if on_loop else await self._in_thread(question)
            if inspect.isawaitable(answer):
                answer = await answer
        problem = answer_problem(answer)
        if problem:
            raise self._fault(problem)
        return cast("HttpResponse", answer)

    async def _in_thread(self, question: HttpRequest) -> object:
        """Call a plain function. It keeps its place among the threads until it returns, even if its client leaves."""

        def call() -> object:
            # Here, and not where it is awaited: not every exception can be raised there.
            with self._blaming():
                return self._route.handler(question)

        await self._threads.acquire()
        answer = in_thread(call, f"route {self._route.path}")
        loop = asyncio.get_running_loop()
        answer.add_done_callback(lambda _: _when_open(loop, self._threads.release))
        return await asyncio.wrap_future(answer)

    async def _pieces(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        try:
            with self._blaming():
                async for piece in body:
                    if not isinstance(piece, bytes):
                        raise self._fault(f"gave a piece that is a {type(piece).__name__}, not bytes")
                    yield piece
        finally:
            if isinstance(body, AsyncGenerator):
                await body.aclose()

    @contextmanager
    def _blaming(self) -> Iterator[None]:
        """Give what plugin code raises the plugin's name."""
        try:
            yield
        except CamelidError as error:
            error.plugin = error.plugin or self._registered.distribution
            raise
        # As in hooks: SystemExit must not end the server either.
        except (Exception, SystemExit) as error:
            top = str(getattr(self._route.handler, "__module__", "")).partition(".")[0]
            raise self._fault(f"raised {type(error).__name__}{place_of(error, top)}", reason=str(error)) from error

    def _fault(self, what: str, *, reason: str = "") -> HookError:
        package = self._registered.distribution
        return HookError(f"{package}: the handler of {self._route.path} {what}", reason=reason, plugin=package)


def _when_open(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """Have a loop call something, from another thread; one that is closed has nobody left who would want it."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call)
