"""Finding the server that a command talks to.

httpx is imported here when the first connection is made, so that help texts do not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

from camelid.configuration import load_settings
from camelid.types.addresses import parse_address

if TYPE_CHECKING:
    from camelid.cli.client import Client

__all__ = ("connect", "connect_or_embed", "is_here")


@contextmanager
def connect() -> Iterator[Client]:
    """A client of the server that the settings name. The first request tells whether it is there.

    Raises:
        ConfigurationError: the settings are wrong.
    """
    from camelid.cli.client import Client

    with Client(parse_address(load_settings().host).url) as client:
        yield client


@contextmanager
def connect_or_embed() -> Iterator[Client]:
    """The same, but where no server runs on this machine, one is started for as long as the context lasts.

    Raises:
        ConfigurationError: the settings are wrong.
        ServerUnreachableError: the settings name another machine, and no server answers there.
    """
    from camelid.cli.client import Client, ServerUnreachableError
    from camelid.cli.embedded import embedded_server
    from camelid.cli.progress import ProgressDisplay

    settings = load_settings()
    address = parse_address(settings.host)
    with Client(address.url) as client:
        try:
            client.heartbeat()
        except ServerUnreachableError:
            if not is_here(address.host):
                raise
        else:
            yield client
            return
    with ExitStack() as stack:
        with ProgressDisplay(transient=True) as display:
            display.status("starting a server for this command")
            url = stack.enter_context(embedded_server(log_to_stderr=settings.debug))
        yield stack.enter_context(Client(url))


def is_here(host: str) -> bool:
    """Whether a host can only be this machine."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
