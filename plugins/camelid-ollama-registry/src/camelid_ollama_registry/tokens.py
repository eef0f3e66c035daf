"""Tokens, for which one signs with the key of this machine (contract 14.2)."""

import base64
import secrets
import time
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx

from camelid.contracts.distribution.answers import public_url
from camelid.contracts.distribution.authorization import Authorization
from camelid.contracts.distribution.tokens import Challenge, fetch_token, read_challenge
from camelid.errors import RegistryError
from camelid_ollama_registry.key import Key, load_key

__all__ = ("SignedTokens",)

_NOTHING: Final = base64.b64encode(sha256(b"").hexdigest().encode()).decode()
"""Stands in what is signed for the body, which is empty."""


class SignedTokens(Authorization):
    """Asks for tokens, signed with the key of this machine."""

    def __init__(self, keys: Path | None = None) -> None:
        """Read nothing yet.

        Args:
            keys: the folder with `id_ed25519`, made if need be; None for `~/.ollama`.
        """
        super().__init__()
        self._keys = keys

    def answer(self, http: httpx.Client, url: httpx.URL, challenge: str) -> str:
        """A token.

        Raises:
            RegistryError: the registry wants something else, or another host would have this machine's signature; it
                gives none, or the key cannot be used.
            httpx.HTTPError: the connection broke.
            TimeoutError: the answer came too slowly.
        """
        asked = read_challenge(challenge)
        if asked is None:
            raise RegistryError("unauthorized: access denied", reason=f"{public_url(url)} wants {challenge[:200]!r}")
        _check_realm(asked.realm, url)
        there = _signed_url(asked)
        request = http.build_request("GET", there, headers={"Authorization": _signature(load_key(self._keys), there)})
        return f"Bearer {fetch_token(http, request)}"


def _check_realm(realm: httpx.URL, url: httpx.URL) -> None:
    if (realm.netloc, realm.scheme) != (url.netloc, url.scheme):
        theirs, ours = realm.netloc.decode("ascii", "replace"), url.netloc.decode("ascii", "replace")
        raise RegistryError(
            f'realm host "{theirs}" does not match original host "{ours}"',
            reason=f"{public_url(realm)} for {public_url(url)}",
        )


def _signed_url(challenge: Challenge) -> httpx.URL:
    query = httpx.QueryParams(
        [
            ("service", challenge.service),
            *(("scope", scope) for scope in challenge.scopes),
            ("ts", str(int(time.time()))),
            ("nonce", secrets.token_urlsafe(16)),
        ]
    )
    return challenge.realm.copy_merge_params(query)


def _signature(key: Key, url: httpx.URL) -> str:
    signed = key.sign(f"GET,{url},{_NOTHING}".encode())
    return f"{key.public}:{base64.b64encode(signed).decode()}"
