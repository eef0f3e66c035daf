"""A registry's HTTP server on a loopback port, and everything that may be wrong with one."""

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from threading import Event, Lock, Thread
from types import MappingProxyType, TracebackType
from typing import Final, Self

import msgspec

__all__ = ("Fault", "LoopbackServer", "Outage", "Reply", "Request")

_PIECE: Final = 1 << 16
_FIRST_BYTE: Final = "bytes=0-0"
_SLOW_PIECE: Final = 40_000
_SLOW_SECONDS: Final = 0.002
_BEYOND: Final = 1 << 20
"""Bytes behind the end of a file."""
_ENDLESS: Final = 256 << 20
"""Bytes after which even an endless answer ends, so that who reads all of it fails and does not hang."""


class Fault(StrEnum):
    """What is wrong with the answers that hold a file, or with those to who sends one."""

    CUT = "the connection is closed in the middle"
    STALL = "nothing comes after the middle"
    SLOW = "the bytes drip"
    CORRUPT = "a byte is another one"
    SHORT = "the last byte is missing, and the headers say so"
    LONG = "there is one byte too many, and the headers say so"
    GONE = "404"
    BUSY = "503"
    DENIED = "401"
    WHOLE = "ranges are ignored"
    UNSIZED = "ranges are ignored, and the headers say no length"
    ELSEWHERE = "another host has it, and a redirect says so"
    CIRCLE = "a redirect leads back"
    ENDLESS = "more comes than was announced, and no header says how much"
    DROPPED = "whoever sends a file is hung up on after it"


class Outage(StrEnum):
    """What is wrong with a server that answers nothing else any more."""

    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    DOWN = "503"
    HUNG_UP = "the connection is closed without an answer"
    CIRCLE = "a redirect leads back"
    ENDLESS = "what comes has no end"


class Request(msgspec.Struct, frozen=True):
    """What a client asked."""

    method: str
    path: str
    """With the query."""
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes = b""


class Reply(msgspec.Struct, frozen=True):
    """What it is answered."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    file: bool = False
    """Whether the body is a model's file: ranges of it may be asked for, and faults befall it. Who asks for its first
    byte only wants to know about it, and is answered rightly."""
    sized: bool = True
    """Whether headers tell the length of a file, and ranges of it are known at all."""


class LoopbackServer:
    """Answers what `respond` says. Derive from it for a protocol; enter it to serve."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        """All so far."""
        self.served = 0
        """Answers that were to hold a file."""
        self.sent = 0
        """Bytes of files that were sent."""
        self.released = Event()
        """Set to let stalled answers end."""
        self.outage: Outage | None = None
        """Set to let nothing else be answered."""
        self._faults: Counter[Fault] = Counter()
        self._elsewhere: LoopbackServer | None = None
        self._lock = Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.host = f"127.0.0.1:{self._http.server_address[1]}"
        """Host and port."""

    def __enter__(self) -> Self:
        Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, name="loopback", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()

    def respond(self, request: Request) -> Reply:
        """The answer of the protocol, of a server that has no fault."""
        raise NotImplementedError

    def inject(self, fault: Fault, times: int = 1_000_000) -> None:
        """Let the next `times` answers that hold a file have a fault."""
        with self._lock:
            self._faults[fault] = times

    def send_elsewhere(self, other: "LoopbackServer") -> None:
        """Redirect whoever wants a file to another host, which must know the same paths."""
        self._elsewhere = other
        self.inject(Fault.ELSEWHERE)

    def heal(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults.clear()
        self.outage = None
        self.released.set()

    def _takes(self, fault: Fault) -> bool:
        """Whether an answer has this fault; it is counted."""
        with self._lock:
            had = self._faults[fault]
            self._faults[fault] = max(0, had - 1)
            return had > 0

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Serve one request."""
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        request = Request(handler.command, handler.path, headers, body)
        with self._lock:
            self.requests.append(request)
        if self.outage is not None:
            self._fail(handler, request, self.outage)
            return
        if body and self._takes(Fault.DROPPED):
            _hang_up(handler)
            return
        reply = self.respond(request)
        if not reply.file or request.method == "HEAD":
            _write(handler, reply, reply.body, length=len(reply.body))
            return
        if request.headers.get("range") == _FIRST_BYTE and reply.body and reply.sized:
            _write(handler, _part(reply, reply.body, 0, 1), reply.body[:1], length=1)
            return
        with self._lock:
            self.served += 1
        for fault, status in ((Fault.GONE, 404), (Fault.BUSY, 503), (Fault.DENIED, 401)):
            if self._takes(fault):
                _write(handler, Reply(status), b"", length=0)
                return
        if self._takes(Fault.CIRCLE):
            _write(handler, Reply(307, headers={"Location": request.path}), b"", length=0)
        elif self._elsewhere is not None and self._takes(Fault.ELSEWHERE):
            address = f"http://{self._elsewhere.host}{request.path}"
            _write(handler, Reply(307, headers={"Location": address}), b"", length=0)
        else:
            self._send_file(handler, request, reply)

    def _fail(self, handler: BaseHTTPRequestHandler, request: Request, outage: Outage) -> None:
        match outage:
            case Outage.HUNG_UP:
                _hang_up(handler)
            case Outage.CIRCLE:
                _write(handler, Reply(307, headers={"Location": request.path}), b"", length=0)
            case Outage.ENDLESS:
                _write(handler, Reply(200), b"", length=1 << 50)
                self._send_pieces(handler, bytes(_PIECE), _ENDLESS // _PIECE)
            case _:
                _write(handler, Reply(int(outage)), b"", length=0)

    def _send_pieces(self, handler: BaseHTTPRequestHandler, piece: bytes, number: int) -> None:
        """And hang up."""
        handler.close_connection = True
        for _ in range(number):
            handler.wfile.write(piece)
            with self._lock:
                self.sent += len(piece)

    def _send_file(self, handler: BaseHTTPRequestHandler, request: Request, reply: Reply) -> None:
        content = reply.body
        if self._takes(Fault.SHORT):
            content = content[:-1]
        if self._takes(Fault.LONG):
            content += b"?"
        if self._takes(Fault.CORRUPT):
            content = bytes((content[0] ^ 1,)) + content[1:]
        wanted = request.headers.get("range", "")
        unsized = not reply.sized or self._takes(Fault.UNSIZED)
        if wanted and not unsized and not self._takes(Fault.WHOLE):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            begin, end = int(first), min(int(last or len(content)) + 1, len(content))
            self._send_body(handler, _part(reply, content, begin, end), content[begin:end])
        else:
            self._send_body(handler, reply, content, unsized=unsized)

    def _send_body(self, handler: BaseHTTPRequestHandler, reply: Reply, body: bytes, *, unsized: bool = False) -> None:
        if self._takes(Fault.ENDLESS):
            _write(handler, reply, b"", length=None)
            self._send_pieces(handler, _chunk(body + bytes(_BEYOND)), 1)
            return
        cut, stall, slow = (self._takes(fault) for fault in (Fault.CUT, Fault.STALL, Fault.SLOW))
        _write(handler, reply, b"", length=None if unsized else len(body))
        end = len(body) // 2 if cut or stall else len(body)
        step = _SLOW_PIECE if slow else _PIECE
        for begin in range(0, end, step):
            piece = body[begin : min(begin + step, end)]
            handler.wfile.write(_chunk(piece) if unsized else piece)
            with self._lock:
                self.sent += len(piece)
            if slow:
                time.sleep(_SLOW_SECONDS)
        if stall:
            self.released.wait()
        if cut or stall:
            handler.close_connection = True
        elif unsized:
            handler.wfile.write(_chunk(b""))


def _part(reply: Reply, content: bytes, begin: int, end: int) -> Reply:
    """The answer to who wants a part; where there is none, that there is none."""
    headers = {**reply.headers, "Content-Range": f"bytes {begin}-{end - 1}/{len(content)}"}
    return Reply(206 if begin < end else 416, headers=headers)


def _write(handler: BaseHTTPRequestHandler, reply: Reply, body: bytes, *, length: int | None) -> None:
    """Send an answer, or its headers, that say its length unless that is None."""
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    framing = ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))
    handler.send_header(*framing)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def _chunk(piece: bytes) -> bytes:
    """As it stands in a body of unknown length; the empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(SHUT_RDWR)


def _handler(server: LoopbackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            with suppress(ConnectionError):  # the client left
                server.answer(self)

        def handle(self) -> None:
            with suppress(ConnectionError):  # before it asked anything
                super().handle()

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    return Handler
