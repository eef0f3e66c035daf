"""What a server on this machine takes of its memory."""

import psutil

from camelid.engine.resident import resident_bytes
from camelid.types.addresses import parse_address

__all__ = ("server_memory",)


def server_memory(url: str) -> int | None:
    """Resident bytes of the process that listens at `url` and of all its children; None if that cannot be told.

    A page that several of them map counts once where the system says so (Linux), else for each.
    """
    port = parse_address(url).port
    try:
        owner = next(
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.pid and connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,)
        )
        process = psutil.Process(owner)
        return sum(resident_bytes(each) for each in (process, *process.children(recursive=True)))
    except (psutil.Error, StopIteration):
        return None
