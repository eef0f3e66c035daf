"""The routes of plugins that the setting `routes` names, served as the server's own are."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final
from urllib.parse import parse_qsl

from litestar import HttpMethod, Litestar, Response, route
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from camelid.api.body import received
from camelid.api.description import Description
from camelid.api.disconnect import cancelled_when_gone
from camelid.api.request import ApiRequest
from camelid.api.streaming import Stream
from camelid.contracts.route import HttpRequest, HttpResponse
from camelid.errors import CamelidError, ConfigurationError, HookError
from camelid.plugins.blame import place_of
from camelid.plugins.catalog import RegisteredRoute
from camelid.plugins.host import PluginHost

__all__ = ("add_plugin_routes",)

LARGEST_BODY: Final = 16 << 20
"""Bytes of a request to a plugin."""
MOST_THREADS: Final = 8
"""In which plain functions answer at once; the rest of the server wants some, too."""


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
        headers = {**answer.headers, "content-type": answer.content_type}
        if isinstance(answer.body, bytes):
            whole = Response(answer.body, status_code=answer.status, headers=headers)
            return whole.to_asgi_response(None, request)
        return Stream(
            self._pieces(answer.body),
            bytes,
            headers=[(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
            failed=lambda _: b"",
            status=answer.status,
        )

    async def _called(self, question: HttpRequest) -> HttpResponse:
        handler: Callable[[HttpRequest], object] = self._route.handler
        try:
            if inspect.iscoroutinefunction(handler):
                answer: object = handler(question)
            else:
                async with self._threads:
                    answer = await asyncio.to_thread(handler, question)
            if inspect.isawaitable(answer):
                answer = await answer
        except CamelidError as error:
            error.plugin = error.plugin or self._registered.distribution
            raise
        # As in hooks: SystemExit must not end the server either.
        except (Exception, SystemExit) as error:
            raise self._blamed(error) from error
        if not isinstance(answer, HttpResponse):
            raise self._fault(f"returned a {type(answer).__name__}, not an HttpResponse")
        return answer

    async def _pieces(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        try:
            async for piece in body:
                yield piece
        except CamelidError as error:
            error.plugin = error.plugin or self._registered.distribution
            raise
        except (Exception, SystemExit) as error:
            raise self._blamed(error) from error
        finally:
            if isinstance(body, AsyncGenerator):
                await body.aclose()

    def _blamed(self, error: BaseException) -> HookError:
        """What a handler raised, with the plugin's name."""
        top = str(getattr(self._route.handler, "__module__", "")).partition(".")[0]
        return self._fault(f"raised {type(error).__name__}{place_of(error, top)}", reason=str(error))

    def _fault(self, what: str, *, reason: str = "") -> HookError:
        package = self._registered.distribution
        return HookError(f"{package}: the handler of {self._route.path} {what}", reason=reason, plugin=package)
