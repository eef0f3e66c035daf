"""Who asks: basic authentication, or tokens, with the logins that Docker remembers; anonymous tokens without."""

from pathlib import Path
from typing import Final

import httpx

from camelid.contracts.distribution.answers import public_url
from camelid.contracts.distribution.authorization import Authorization
from camelid.contracts.distribution.tokens import Challenge, fetch_token, read_challenge
from camelid.errors import RegistryError
from camelid_oci.logins import Login, find_login

__all__ = ("DockerLogins",)

_CLIENT: Final = "camelid"


class DockerLogins(Authorization):
    """Answers registries with what Docker's `config.json` holds for them."""

    def __init__(self, folder: Path | None = None) -> None:
        """Read nothing yet.

        Args:
            folder: see `find_login`.
        """
        super().__init__()
        self._folder = folder

    def answer(self, http: httpx.Client, url: httpx.URL, challenge: str) -> str:
        """The login itself, or a token that was got for it.

        A token may be at another host than the registry, which says where; what is encrypted stays so.

        Raises:
            RegistryError: there is no login where one is needed, or it is not accepted.
            httpx.HTTPError: the connection broke.
            TimeoutError: a token came too slowly.
        """
        host = url.netloc.decode("ascii", "replace")
        login = find_login(host, self._folder)
        asked = read_challenge(challenge)
        if asked is not None:
            return f"Bearer {fetch_token(http, _token_request(http, url, asked, login))}"
        if not challenge.lower().startswith("basic") or login is None or login.refresh_token:
            raise RegistryError(
                f"unauthorized: access denied; log in with `docker login {host}` on the server",
                reason=f"{public_url(url)} wants {challenge[:200]!r}",
            )
        return login.header


def _token_request(http: httpx.Client, url: httpx.URL, asked: Challenge, login: Login | None) -> httpx.Request:
    realm = asked.realm
    if realm.userinfo or realm.scheme not in ("http", "https") or (url.scheme, realm.scheme) == ("https", "http"):
        raise RegistryError(
            "unauthorized: access denied", reason=f"{public_url(url)} wants a token of {public_url(realm)}"
        )
    scopes = [("scope", scope) for scope in asked.scopes]
    if login is not None and login.refresh_token:
        form = {
            "grant_type": "refresh_token",
            "client_id": _CLIENT,
            "service": asked.service,
            "scope": " ".join(asked.scopes),
            "refresh_token": login.refresh_token,
        }
        return http.build_request("POST", realm, data=form)
    there = realm.copy_merge_params(httpx.QueryParams([("service", asked.service), *scopes]))
    return http.build_request("GET", there, headers={} if login is None else {"Authorization": login.header})
