"""Tokens, for which one signs with the key of this machine (contract 14.2)."""

import base64
import re
import secrets
import time
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx
import msgspec

from camelid.errors import RegistryError
from camelid_ollama_registry.key import Key, load_key

__all__ = ("Challenge", "fetch_token", "read_challenge")

_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_LARGEST_ANSWER: Final = 1 << 20
_LONGEST_ANSWER: Final = 30.0
"""Seconds for all of it: the timeout of the connection begins anew with each byte."""
_NOTHING: Final = base64.b64encode(sha256(b"").hexdigest().encode()).decode()
"""Stands in what is signed for the body, which is empty."""


class Challenge(msgspec.Struct, frozen=True):
    """What a registry wants before it answers."""

    realm: httpx.URL
    """Where the token is."""
    service: str
    scopes: tuple[str, ...]


class _Answer(msgspec.Struct):
    token: str = ""
    access_token: str = ""


def read_challenge(header: str, asked: httpx.URL) -> Challenge | None:
    """What `Www-Authenticate` says; None if it says nothing of tokens.

    Raises:
        RegistryError: the token would be at another host, which is not to have this machine's signature.
    """
    scheme, _space, rest = header.partition(" ")
    values = dict(_PARAMETER.findall(rest))
    if scheme.lower() != "bearer" or not values.get("realm"):
        return None
    try:
        realm = httpx.URL(values["realm"])
    except httpx.InvalidURL as error:
        raise RegistryError("unauthorized: access denied", reason=f"realm {values['realm'][:200]!r}") from error
    if (realm.netloc, realm.scheme) != (asked.netloc, asked.scheme):
        theirs, ours = realm.netloc.decode("ascii", "replace"), asked.netloc.decode("ascii", "replace")
        raise RegistryError(
            f'realm host "{theirs}" does not match original host "{ours}"', reason=f"{realm} for {asked}"
        )
    return Challenge(realm, values.get("service", ""), tuple(values.get("scope", "").split()))


def fetch_token(http: httpx.Client, challenge: Challenge, keys: Path | None) -> str:
    """Ask for a token, signed.

    Args:
        http: sends the request.
        challenge: of the registry.
        keys: the folder with `id_ed25519`, made if need be; None for `~/.ollama`.

    Raises:
        RegistryError: the registry gives none, or the key cannot be used.
        httpx.HTTPError: the connection broke.
        TimeoutError: the answer came too slowly.
    """
    key = load_key(keys)
    query = httpx.QueryParams(
        [
            ("service", challenge.service),
            *(("scope", scope) for scope in challenge.scopes),
            ("ts", str(int(time.time()))),
            ("nonce", secrets.token_urlsafe(16)),
        ]
    )
    url = challenge.realm.copy_merge_params(query)
    headers = {"Authorization": _signature(key, url)}
    until = time.monotonic() + _LONGEST_ANSWER
    with http.stream("GET", url, headers=headers, follow_redirects=False) as response:
        if response.status_code != 200:
            raise RegistryError("unauthorized: access denied", reason=f"{url}: {response.status_code}")
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if time.monotonic() > until:
                raise TimeoutError(f'GET "{url}": the token takes too long')
            if len(content) > _LARGEST_ANSWER:
                raise RegistryError("the registry's token is too long", reason=str(url))
    try:
        answer = msgspec.json.decode(bytes(content), type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError("the registry gave no token", reason=f"{url}: {error}") from error
    token = answer.token or answer.access_token
    if not _TOKEN.fullmatch(token):
        raise RegistryError("the registry gave no token", reason=f"{url}: a token of {len(token)} characters")
    return token


def _signature(key: Key, url: httpx.URL) -> str:
    signed = key.sign(f"GET,{url},{_NOTHING}".encode())
    return f"{key.public}:{base64.b64encode(signed).decode()}"
