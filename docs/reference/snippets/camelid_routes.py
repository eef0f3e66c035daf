"""`GET /status`: whether this machine has room for more, for a load balancer. `CAMELID_ROUTES=NAME camelid serve`."""

import json
import os
from collections.abc import Callable

from camelid import HttpRequest, HttpResponse, Route, hookimpl
from camelid.errors import RequestError

CAMELID_API = 1


def status(request: HttpRequest) -> HttpResponse:
    """A plain function runs in a thread and may block; `async def` runs on the event loop and may not."""
    try:
        most = float(dict(request.query).get("most", "4"))
    except ValueError as error:
        raise RequestError("most must be a number") from error  # status 400, in the form of all errors
    load = os.getloadavg()[0]
    body = json.dumps({"load": load}).encode()
    return HttpResponse(body, status=200 if load < most else 503, headers={"Cache-Control": "no-store"})


@hookimpl
def camelid_routes(register: Callable[[Route], None]) -> None:
    """A path ends with `/*` to have everything below it; `methods` are GET alone if nothing is said."""
    register(Route("/status", status))
