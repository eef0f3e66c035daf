"""What registries want before they answer, and tokens from where they say these are."""

import re
import time
from typing import Final

import httpx
import msgspec

from camelid.contracts.distribution.answers import public_url
from camelid.errors import RegistryError

__all__ = ("Challenge", "fetch_token", "read_challenge")

_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_LARGEST_ANSWER: Final = 1 << 20
_LONGEST_ANSWER: Final = 30.0
"""Seconds for all of it: the timeout of the connection begins anew with each byte."""


class Challenge(msgspec.Struct, frozen=True):
    """What a registry wants: a token."""

    realm: httpx.URL
    """Where the token is."""
    service: str
    scopes: tuple[str, ...]


class _Answer(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None


def read_challenge(header: str) -> Challenge | None:
    """What `WWW-Authenticate` says; None if it says nothing of tokens.

    Raises:
        RegistryError: the realm is no address.
    """
    scheme, _space, rest = header.partition(" ")
    values = dict(_PARAMETER.findall(rest))
    if scheme.lower() != "bearer" or not values.get("realm"):
        return None
    try:
        realm = httpx.URL(values["realm"])
    except httpx.InvalidURL as error:
        raise RegistryError("unauthorized: access denied", reason=f"realm {values['realm'][:200]!r}") from error
    return Challenge(realm, values.get("service", ""), tuple(values.get("scope", "").split()))


def fetch_token(http: httpx.Client, request: httpx.Request) -> str:
    """The token that a request is answered with. Redirects are not followed.

    Raises:
        RegistryError: none comes.
        httpx.HTTPError: the connection broke.
        TimeoutError: the answer came too slowly.
    """
    until, address = time.monotonic() + _LONGEST_ANSWER, public_url(request.url)
    response = http.send(request, stream=True, follow_redirects=False)
    try:
        if response.status_code != 200:
            raise RegistryError("unauthorized: access denied", reason=f"{address}: {response.status_code}")
        content = bytearray()
        for chunk in response.iter_raw():
            content += chunk
            if time.monotonic() > until:
                raise TimeoutError(f'{request.method} "{address}": the token takes too long')
            if len(content) > _LARGEST_ANSWER:
                raise RegistryError("the registry's token is too long", reason=address)
    finally:
        response.close()
    try:
        answer = msgspec.json.decode(bytes(content), type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError("the registry gave no token", reason=f"{address}: {error}") from error
    token = answer.token or answer.access_token or ""
    if not _TOKEN.fullmatch(token):
        raise RegistryError("the registry gave no token", reason=f"{address}: a token of {len(token)} characters")
    return token
