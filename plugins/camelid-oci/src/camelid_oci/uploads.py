"""Sending blobs: in one request, or a large one in parts, so that what arrived before a cut need not be sent again."""

import re
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Final

from camelid.contracts.distribution.answers import public_url, refuse
from camelid.contracts.distribution.client import Client
from camelid.contracts.distribution.uploads import Session, begin_upload, next_session, read_part
from camelid.contracts.registry import BlobToSend, TransientRegistryError
from camelid.errors import RegistryError
from camelid.types.names import ModelName
from camelid_oci.references import repository_at, repository_url

__all__ = ("Uploads",)

_PART: Final = 256 << 20
"""Bytes that are sent at once; what has no more is sent in one request, which every registry understands."""
_SMALLEST_PART: Final = 1 << 20
"""Bytes below which a host takes too little to send a model to."""
_FEWER: Final = 4
"""By which parts get smaller where they are too large for a host, or for what stands before it."""
_TOO_LARGE: Final = 413
_FORGOTTEN: Final = 404
_NO_PARTS: Final = frozenset({400, 404, 405, 411, 416, 501})
_RANGE: Final = re.compile(r"(?:bytes=)?0-(\d{1,18})")
_MOST_BROKEN: Final = 64
_FILE: Final = "application/octet-stream"


class Uploads:
    """Sends blobs, and remembers where those that broke go on. Safe to use from any thread."""

    def __init__(self) -> None:
        self._broken: dict[tuple[str, str], Session] = {}
        """By repository and digest; who goes on with one takes it out."""
        self._whole: set[str] = set()
        """Hosts that know no parts, whatever the protocol says."""
        self._lock = Lock()

    def send(self, client: Client, name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
        """Bring a blob to a repository, unless it is there or another repository of the host lends it.

        Raises:
            RegistryError: the host refused it, or the name ends in a digest, which nothing can be sent to.
            OSError: the connection broke. The next call goes on from there, if the host knows how far it came.
        """
        if name.digest:
            raise RegistryError("a model is pushed to a tag, not to a digest: copy it to a name with a tag first")
        try:
            self._send(client, name, blob, on_progress)
        except _PartRefusedError:
            if name.host in self._whole:
                raise
            self._whole.add(name.host)
            self._send(client, name, blob, on_progress)

    def _send(self, client: Client, name: ModelName, blob: BlobToSend, on_progress: Callable[[int], None]) -> None:
        """Begin, or go on where it broke; and remember where, if it breaks."""
        repository = repository_url(name)
        key = (repository, blob.digest)
        with self._lock:
            broken = self._broken.pop(key, None)
        upload = None
        try:
            if broken is not None:
                upload = _resume(client, broken, blob, on_progress)
            if upload is None:
                session = begin_upload(client, repository, blob, repository_at(name, blob.origin))
                if session is None:
                    return
                upload = _Upload(client, session, blob, on_progress, whole=name.host in self._whole)
            upload.run()
        except BaseException as error:
            broken = upload.session if upload is not None and upload.in_parts else broken
            # What a host refuses for good it would refuse again; whoever leaves may come back.
            refused = isinstance(error, RegistryError) and not isinstance(error, TransientRegistryError)
            if broken is not None and not refused:
                self._remember(key, broken)
            raise

    def _remember(self, key: tuple[str, str], session: Session) -> None:
        with self._lock:
            while len(self._broken) >= _MOST_BROKEN:
                del self._broken[next(iter(self._broken))]
            self._broken[key] = session


class _PartRefusedError(RegistryError):
    """The host takes no parts, or not this one."""


class _Upload:
    """One blob on its way."""

    def __init__(
        self,
        client: Client,
        session: Session,
        blob: BlobToSend,
        on_progress: Callable[[int], None],
        *,
        sent: int = 0,
        whole: bool = False,
    ) -> None:
        self._client = client
        self._blob = blob
        self._on_progress = on_progress
        self._sent = sent
        self._part = max(_PART, session.smallest_part)
        self.session = session
        """Where it goes on."""
        self.in_parts = sent > 0 or (blob.size > self._part and not whole)
        """Whether the host can be asked how much of it arrived."""

    def run(self) -> None:
        """Send everything, then say that it was all."""
        if not self.in_parts:
            if self._put(self._blob.size):
                return
            self._shrink()
            self.in_parts = True
        while self._sent < self._blob.size:
            if not self._patch(min(self._part, self._blob.size - self._sent)):
                self._shrink()
        if not self._put(0):
            raise RegistryError("the registry refuses even an empty request as too large")

    def _put(self, length: int) -> bool:
        """Send what is left and end the upload; false if it was too large."""
        url = self.session.url.copy_merge_params({"digest": self._blob.digest})
        headers = {"Content-Length": str(length), "Content-Type": _FILE}
        body = partial(read_part, self._blob, self._sent, length, self._on_progress)
        with self._client.request("PUT", str(url), headers=headers, body=body) as response:
            if response.status_code not in (201, _TOO_LARGE):
                refuse(response)
            return response.status_code == 201

    def _patch(self, length: int) -> bool:
        """Send a part; false if it was too large."""
        headers = {
            "Content-Length": str(length),
            "Content-Type": _FILE,
            "Content-Range": f"{self._sent}-{self._sent + length - 1}",
        }
        body = partial(read_part, self._blob, self._sent, length, self._on_progress)
        with self._client.request("PATCH", str(self.session.url), headers=headers, body=body) as response:
            if response.status_code == _TOO_LARGE:
                return False
            if response.status_code == _FORGOTTEN and self._sent:
                raise TransientRegistryError(
                    "the registry forgot what it had of a file", reason=public_url(response.url)
                )
            if response.status_code in _NO_PARTS:
                raise _PartRefusedError(
                    f"the registry refused a part of a file: {response.status_code}", reason=public_url(response.url)
                )
            if response.status_code != 202:
                refuse(response)
            self.session = Session(next_session(response, self.session.url), self.session.smallest_part)
        self._sent += length
        return True

    def _shrink(self) -> None:
        refused, smallest = min(self._part, self._blob.size), max(_SMALLEST_PART, self.session.smallest_part)
        if refused <= smallest:
            raise RegistryError("the registry takes no requests that are large enough for a model")
        self._part = max(refused // _FEWER, smallest)


def _resume(client: Client, broken: Session, blob: BlobToSend, on_progress: Callable[[int], None]) -> _Upload | None:
    """Go on where an upload broke; None if the host does not know any more, or nothing arrived.

    Raises:
        RegistryError: the host refused.
        OSError: the connection broke again; the next call begins anew.
    """
    with client.request("GET", str(broken.url)) as response:
        match = _RANGE.fullmatch(response.headers.get("range", ""))
        if response.status_code != 204 or match is None:
            return None
        url = next_session(response, broken.url)
    sent = int(match[1]) + 1
    # Some say 0-0 of nothing at all; one byte is not worth the difference.
    if not 1 < sent <= blob.size:
        return None
    return _Upload(client, Session(url, broken.smallest_part), blob, on_progress, sent=sent)
