"""Model names: `[scheme://][host/][namespace/]model[:tag]` (contract 2.1); beyond it, those of other protocols, and
addresses of files (`camelid.types.file_addresses`).

The scheme says who is asked and how; on the disk there are the four other parts.
"""

import re
from typing import Final, Literal, TypeAlias

import msgspec

from camelid.errors import RequestError
from camelid.types.file_addresses import FILE, WEB, read_address
from camelid.types.repository_paths import fold_path, unfold_path

__all__ = ("DEFAULT_HOST", "DEFAULT_NAMESPACE", "DEFAULT_TAG", "ModelName", "Transport")

Transport: TypeAlias = Literal["https", "http"]

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_MODEL_OR_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_TRANSPORTS: Final = ("https", "http")
_ADDRESSED: Final = (*_TRANSPORTS, FILE)
_PLAIN: Final = "+http"
_SCHEME: Final = re.compile(rf"[a-z][a-z0-9]*(?:{re.escape(_PLAIN)})?")
_DIGEST: Final = re.compile(r"sha256[:-]([0-9a-f]{64})")


class ModelName(msgspec.Struct, frozen=True, order=True):
    """A fully qualified model name. Every part is safe as one path component."""

    host: str
    namespace: str
    model: str
    tag: str
    """Of other protocols also the digest of a manifest, `sha256-…`."""
    scheme: str = "https"
    """`https` or `http`; or another protocol than Ollama's, `oci`, and `oci+http` where that is not encrypted."""
    path: str = ""
    """Of the address of a file: what is asked for there, with a slash at its beginning and with the query."""

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """Read a name as a person writes it.

        Names of other protocols than Ollama's are `protocol://host/repository[:tag]` or `…@sha256:…`; the path of the
        repository has any depth (`camelid.types.repository_paths`). What is the address of a file says
        `camelid.types.file_addresses`.

        Raises:
            RequestError: `invalid model name`, if any part breaks the grammar; or a user name or a password stands in
                it, which is not repeated.
        """
        scheme, separator, rest = text.partition("://")
        scheme = scheme.lower()
        if not separator:
            scheme, rest = "https", text
        elif "@" in rest.partition("/")[0]:
            raise RequestError("invalid model name: leave out the user name and the password before the host")
        elif scheme in _ADDRESSED and (name := cls._parse_address(scheme, rest)) is not None:
            return name
        elif scheme not in _TRANSPORTS:
            return cls._parse_other(scheme, rest)
        head, slash, last = rest.rpartition("/")
        model, colon, tag = last.partition(":")
        if (colon and not tag) or (slash and not head):
            raise RequestError("invalid model name", reason=f"empty part in {text!r}")
        host, slash, namespace = head.rpartition("/")
        if slash and not (host and namespace):
            raise RequestError("invalid model name", reason=f"empty part in {text!r}")
        name = cls(
            host=host or DEFAULT_HOST,
            namespace=namespace or DEFAULT_NAMESPACE,
            model=model,
            tag=tag or DEFAULT_TAG,
            scheme=scheme,
        )
        name.check()
        return name

    @classmethod
    def _parse_address(cls, scheme: str, rest: str) -> "ModelName | None":
        found = read_address(scheme, rest)
        if found is None:
            return None
        plain = _PLAIN if scheme == "http" else ""
        name = cls(
            host=found.host,
            namespace=found.namespace,
            model=found.model,
            tag=found.tag,
            scheme=f"{found.protocol}{plain}",
            path=found.path,
        )
        name.check()
        return name

    @classmethod
    def _parse_other(cls, scheme: str, rest: str) -> "ModelName":
        host, _slash, path = rest.partition("/")
        path, at, digest = path.partition("@")
        head, slash, last = path.rpartition("/")
        model, colon, tag = last.partition(":")
        matched = _DIGEST.fullmatch(digest)
        if (
            not _SCHEME.fullmatch(scheme)
            or scheme.removesuffix(_PLAIN) == WEB
            or (colon and not tag)
            or (at and not matched)
        ):
            raise RequestError("invalid model name", reason=f"{scheme}://{rest!r}")
        namespace, model = fold_path(f"{head}{slash}{model}")
        name = cls(
            host=host,
            namespace=namespace,
            model=model,
            tag=f"sha256-{matched[1]}" if matched else tag or DEFAULT_TAG,
            scheme=scheme,
        )
        name.check()
        return name

    def check(self) -> None:
        """Raise `RequestError` unless each part follows the grammar."""
        parts = (
            (_HOST, self.host),
            (_NAMESPACE, self.namespace),
            (_MODEL_OR_TAG, self.model),
            (_MODEL_OR_TAG, self.tag),
        )
        for pattern, part in parts:
            if not pattern.fullmatch(part):
                raise RequestError("invalid model name", reason=f"{part!r} is not allowed in a model name")

    @property
    def protocol(self) -> str:
        """What registries there speak: `oci`; empty if the name leaves that open."""
        return "" if self.scheme in _TRANSPORTS else self.scheme.removesuffix(_PLAIN)

    @property
    def transport(self) -> Transport:
        """What it is asked over."""
        return "http" if self.scheme == "http" or self.scheme.endswith(_PLAIN) else "https"

    def over(self, transport: Transport) -> "ModelName":
        """The same name, asked over `transport`."""
        plain = _PLAIN if transport == "http" else ""
        scheme = f"{self.protocol}{plain}" if self.protocol else transport
        return msgspec.structs.replace(self, scheme=scheme)

    @property
    def address(self) -> str:
        """Of the address of a file: all of it. Not for logs, for a query may hold a secret."""
        return f"{FILE}://{self.path}" if self.protocol == FILE else f"{self.transport}://{self.host}{self.path}"

    @property
    def repository(self) -> str:
        """The path of the repository, in names of other protocols than Ollama's: `team/chat/model`."""
        return unfold_path(self.namespace, self.model)

    @property
    def digest(self) -> str:
        """The digest that stands in place of a tag, `sha256:…`; empty if none does."""
        matched = _DIGEST.fullmatch(self.tag)
        return f"sha256:{matched[1]}" if self.protocol and matched else ""

    @property
    def qualified(self) -> str:
        """Every part: `registry.ollama.ai/library/llama3:latest`."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def short(self) -> str:
        """As people see it: default host and namespace hidden, the tag always shown."""
        if self.host.lower() != DEFAULT_HOST:
            return self.qualified
        if self.namespace.lower() != DEFAULT_NAMESPACE:
            return f"{self.namespace}/{self.model}:{self.tag}"
        return f"{self.model}:{self.tag}"

    def __str__(self) -> str:
        return self.short
