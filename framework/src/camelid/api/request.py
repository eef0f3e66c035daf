"""What every handler takes: the request, and the services."""

from typing import TypeAlias

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency

from camelid.services.container import Services

__all__ = ("ApiRequest", "ApiServices")

ApiRequest: TypeAlias = Request[object, object, State]

ApiServices: TypeAlias = NamedDependency[Services]
"""For a parameter called `services`, which the application provides."""
