"""Who asks: one `Authorization` header for each repository, got anew when the registry refuses it."""

import re
from abc import ABC, abstractmethod
from threading import Lock
from typing import Final

import httpx

from camelid.contracts.distribution.answers import public_url
from camelid.contracts.registry import TransientRegistryError
from camelid.errors import RegistryError

__all__ = ("Anonymous", "Authorization")

_REPOSITORY: Final = re.compile(r"(.*?)/(?:blobs|manifests)/")
_LONGEST_WAIT: Final = 60.0
"""Seconds for another thread's question for a token."""


class Authorization(ABC):
    """Derive from it for a way to prove who asks. Safe to use from any thread."""

    def __init__(self) -> None:
        self._headers: dict[str, str] = {}
        self._lock = Lock()
        self._renewing: dict[str, Lock] = {}
        """One for each repository, so that a slow registry holds up nobody but those who want something of it."""

    @abstractmethod
    def answer(self, http: httpx.Client, url: httpx.URL, challenge: str) -> str:
        """What to send as `Authorization` from now on.

        Args:
            http: sends requests for tokens.
            url: what was asked for.
            challenge: what the registry wants: its `WWW-Authenticate`.

        Raises:
            RegistryError: there is nothing that it would accept.
            httpx.HTTPError: the connection broke.
            OSError: as well.
        """

    def header(self, url: httpx.URL) -> str:
        """What is shown for a URL; empty for nothing, until a registry asks for more."""
        return self._headers.get(_repository(url), "")

    def renew(self, http: httpx.Client, url: httpx.URL, challenge: str, refused: str) -> None:
        """Get what will be shown in place of `refused`, unless another thread just did.

        Raises:
            RegistryError: as `answer`; or the other thread waits too long.
        """
        repository = _repository(url)
        with self._lock:
            renewing = self._renewing.setdefault(repository, Lock())
        if not renewing.acquire(timeout=_LONGEST_WAIT):
            raise TransientRegistryError(
                "the registry gives no token", reason=f"{public_url(url)}: another request waits for it"
            )
        try:
            if self._headers.get(repository, "") == refused:
                self._headers[repository] = self.answer(http, url, challenge)
        finally:
            renewing.release()


class Anonymous(Authorization):
    """For hosts that let everybody read: nothing is shown, and where that is not enough there is nothing else."""

    def answer(self, http: httpx.Client, url: httpx.URL, challenge: str) -> str:  # noqa: ARG002 - nobody asks
        """Refuse.

        Raises:
            RegistryError: always.
        """
        raise RegistryError("unauthorized: access denied", reason=f"{public_url(url)} wants {challenge!r}")


def _repository(url: httpx.URL) -> str:
    """What a token is for."""
    text = str(url)
    match = _REPOSITORY.match(text)
    return match[1] if match else text
