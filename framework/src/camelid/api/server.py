"""Runs the application: a socket first, then the services, then uvicorn on that socket."""

import asyncio
import errno
import gc
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from ipaddress import ip_address
from types import FrameType
from typing import TYPE_CHECKING, Final

import msgspec
import uvicorn

from camelid.errors import ConfigurationError
from camelid.services.container import Services
from camelid.settings import Settings
from camelid.types.addresses import Address, parse_address

if TYPE_CHECKING:
    from litestar import Litestar

__all__ = ("bind", "run", "serve")

_BACKLOG: Final = 2048
_IDLE_SECONDS: Final = 120
"""How long an idle connection stays open. Ollama never closes one, and clients use theirs again late."""
_GRACE_SECONDS: Final = 2
"""How long open requests may go on after the server was told to end."""


class _Server(uvicorn.Server):
    """uvicorn, with a word when it answers, and without raising the signal that ended it once more."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """The first signal asks open requests to end, the second does not wait for them."""
        self.force_exit = self.should_exit
        self.should_exit = True


def bind(address: Address) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigurationError: the port is in use or forbidden, or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigurationError(_refusal(address, error), reason=str(error)) from error
    # As Go does: IPv4 where a name such as `localhost` has both.
    family, kind, protocol, _, target = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    sock = socket.socket(family, kind, protocol)
    try:
        # On Windows this option would let two servers share a port.
        if sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(target)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise ConfigurationError(_refusal(address, error), reason=str(error)) from error
    return sock


def _refusal(address: Address, error: OSError) -> str:
    where = f"{address.host}:{address.port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"{where} is in use: another server, perhaps Ollama, listens there; "
            "stop it, or choose another port with --host or OLLAMA_HOST"
        )
    if error.errno == errno.EACCES:
        return f"this user may not listen on {where}; choose a port above 1023 with --host or OLLAMA_HOST"
    return f"cannot listen on {where}: this machine has no such address; choose another with --host or OLLAMA_HOST"


async def serve(settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """Serve until the process is told to end by SIGINT or SIGTERM, or this call is cancelled.

    Open requests then have two seconds to finish; streams that are still open end with an error line, and all workers
    are ended.

    Args:
        settings: `host` says where.
        on_ready: called with the server's URL as soon as it answers.

    Raises:
        ConfigurationError: the address cannot be had, or a setting is wrong.
    """
    address = parse_address(settings.host)
    with closing(await asyncio.to_thread(bind, address)) as sock:
        bound, port = sock.getsockname()[:2]
        url = msgspec.structs.replace(address, port=port, scheme="http", path="").url
        # Asked of the socket: the setting may be any name or spelling of a loopback address, such as `127.1`.
        check_host = ip_address(bound).is_loopback
        services = await asyncio.to_thread(Services, settings)
        services.pool.prepare()  # beside what follows, which is half of the start
        try:
            app = await asyncio.to_thread(_application, services, check_host=check_host)
        except BaseException:
            await services.pool.close()
            raise
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        # Entered here and not by uvicorn, which would turn an error into a log entry and an exit status.
        async with app.lifespan():
            await _until_told(_Server(config, lambda: on_ready(url)), sock)


def _application(services: Services, *, check_host: bool) -> "Litestar":
    from camelid.api.app import create_app  # noqa: PLC0415 - importing Litestar takes a third of a second

    return create_app(services, check_host=check_host)


async def _until_told(server: _Server, sock: socket.socket) -> None:
    running = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.should_exit = True
        await running
        raise


def run(settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """`serve` in an event loop of its own, uvloop's where there is one; for a process that does nothing else."""

    def ready(url: str) -> None:
        # All that was imported stays for good. Unfrozen, each full collection looks through it: 30 ms without a token.
        gc.freeze()
        on_ready(url)

    if sys.platform == "win32":
        asyncio.run(serve(settings, on_ready=ready))
        return
    import uvloop  # noqa: PLC0415 - not on Windows

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, on_ready=ready))
