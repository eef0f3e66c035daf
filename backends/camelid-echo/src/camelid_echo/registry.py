"""Where the model `camelid/echo` comes from."""

from hashlib import sha256

from camelid import BlobSource, LayerSource, Registry, ResolvedModel
from camelid.types.names import DEFAULT_HOST, ModelName

__all__ = ("EchoRegistry",)

_MODEL = b'{"camelid_backend": "echo"}\n'
_TEMPLATE = b"{{ range .Messages }}{{ .Role }}<|turn|>{{ .Content }}{{ end }}<|answer|>"


def _layer(kind: str, content: bytes) -> LayerSource:
    blob = BlobSource(digest=f"sha256:{sha256(content).hexdigest()}", size=len(content), content=content)
    return LayerSource(media_type=f"application/vnd.ollama.image.{kind}", blob=blob)


class EchoRegistry(Registry):
    """Knows one model, and makes it up."""

    @property
    def name(self) -> str:
        """`echo`."""
        return "echo"

    @property
    def remote(self) -> bool:
        """No: it is made up here."""
        return False

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        """`camelid/echo`, with any tag."""
        if (name.host, name.namespace, name.model) != (DEFAULT_HOST, "camelid", "echo"):
            return None
        layers = (_layer("model", _MODEL), _layer("template", _TEMPLATE))
        return ResolvedModel(layers=layers, config={"model_format": "echo", "model_family": "echo"})
