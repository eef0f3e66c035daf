"""Who is at the server's address."""

import socket
from contextlib import suppress
from typing import Final

import psutil

from camelid.cli.client import Client, ServerUnreachableError
from camelid.cli.connection import is_here
from camelid.cli.doctor.finding import Finding, note, ok, problem
from camelid.errors import CamelidError
from camelid.types.addresses import Address

__all__ = ("look_at_address",)

_SUBJECT: Final = "server"
_SECONDS: Final = 2.0


def look_at_address(address: Address) -> Finding:
    """Whether a Camelid answers at the address, another server, or nobody.

    Args:
        address: the setting `host`.
    """
    with Client(address.url) as client:
        try:
            health = client.health()
            if health is not None:
                loaded = health.models_loaded
                return ok(
                    _SUBJECT,
                    f"Camelid {health.version} answers at {address.url}, "
                    f"with {loaded} model{'' if loaded == 1 else 's'} loaded{_owner(address.port)}",
                )
            client.heartbeat()
        except ServerUnreachableError:
            return _nobody(address)
        except CamelidError:
            return problem(
                _SUBJECT,
                f"{address.url} is taken by a program that does not speak Ollama's API{_owner(address.port)}; "
                "stop it, or let OLLAMA_HOST name another port",
            )
    return note(
        _SUBJECT,
        f"another server, such as Ollama, answers at {address.url}{_owner(address.port)}: commands talk to it, "
        "and `camelid serve` needs another port",
    )


def _nobody(address: Address) -> Finding:
    if not is_here(address.host):
        return problem(_SUBJECT, f"nobody answers at {address.url}; check OLLAMA_HOST, or start the server there")
    host = address.url.partition("://")[2].rpartition(":")[0].strip("[]")
    with suppress(OSError), socket.create_connection((host, address.port), _SECONDS):
        return problem(
            _SUBJECT,
            f"{host}:{address.port} is taken by a program that does not answer{_owner(address.port)}; "
            "stop it, or let OLLAMA_HOST name another port",
        )
    return ok(_SUBJECT, f"no server runs at {address.url}; 'camelid serve' starts one, and 'camelid run' its own")


def _owner(port: int) -> str:
    """The process that listens on a port of this machine, if this user may know."""
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                return f" (process {connection.pid}, {psutil.Process(connection.pid).name()})"
    return ""
