"""Model names: `[scheme://][host/][namespace/]model[:tag]` (contract 2.1)."""

import re

import msgspec

from camelid.errors import RequestError

__all__ = ("DEFAULT_HOST", "DEFAULT_NAMESPACE", "DEFAULT_TAG", "ModelName")

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_MODEL_OR_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


class ModelName(msgspec.Struct, frozen=True, order=True):
    """A fully qualified model name. Every part is safe as one path component."""

    host: str
    namespace: str
    model: str
    tag: str
    scheme: str = "https"

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """Read a name as a person writes it.

        Raises:
            RequestError: `invalid model name`, if any part breaks the grammar.
        """
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "https", text
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
