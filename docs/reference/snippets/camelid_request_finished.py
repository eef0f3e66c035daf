"""Counts requests and tokens at a StatsD server: one datagram for each request."""

import os
import socket

from camelid import hookimpl
from camelid.types.events import RequestFinished

CAMELID_API = 1


@hookimpl
def camelid_request_finished(event: RequestFinished) -> None:
    """What it cost is told, never what was said."""
    prefix = f"camelid.{event.purpose}"
    lines = [f"{prefix}.{event.outcome}:1|c", f"{prefix}.ms:{event.timings.total_duration // 1_000_000}|ms"]
    lines.append(f"{prefix}.generated:{event.timings.generated_tokens}|c")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.sendto("\n".join(lines).encode(), ("127.0.0.1", int(os.environ.get("STATSD_PORT", "8125"))))
