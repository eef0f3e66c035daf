"""The HTTP application."""

from litestar import Litestar
from litestar.di import Provide
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin

from camelid.api.anthropic.routes import ANTHROPIC_ROUTES
from camelid.api.errors import EXCEPTION_HANDLERS
from camelid.api.metrics import metrics
from camelid.api.ollama.routes import ROUTES
from camelid.api.openai.responses_routes import RESPONSES_ROUTES
from camelid.api.openai.routes import OPENAI_ROUTES
from camelid.api.openapi.routes import openapi
from camelid.api.origins import Origins
from camelid.api.plugin_routes import add_plugin_routes
from camelid.api.routing import StrictRouting
from camelid.api.security import Security
from camelid.api.tenants import Tenants
from camelid.services.container import Services

__all__ = ("create_app",)


class _Application(Litestar):
    """Litestar without its plugins for pydantic and attrs.

    Camelid does not use them, and importing pydantic, which other packages bring along, takes longer than all else
    at start.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def create_app(services: Services, *, check_host: bool) -> Litestar:
    """The application that serves `services`, and enters and leaves them with its own lifespan.

    Args:
        services: the use cases.
        check_host: believe local host names only; for a server that listens on loopback.

    Raises:
        ConfigurationError: an allowed origin is malformed, or the routes of a plugin cannot be added.
    """
    app = _Application(
        route_handlers=[*ROUTES, OPENAI_ROUTES, RESPONSES_ROUTES, ANTHROPIC_ROUTES, metrics, openapi],
        dependencies={"services": Provide(lambda: services, use_cache=True, sync_to_thread=False)},
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=[services],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,
    )
    settings = services.settings
    add_plugin_routes(app, services.plugins, settings.routes)
    handler = StrictRouting(app) if settings.share_prefixes else Tenants(StrictRouting(app))
    app.asgi_handler = Security(handler, Origins(settings.origins), check_host=check_host)
    return app
