"""Installed packages as a source of models."""

from typing import Final

from camelid.contracts.registry import BlobSource, LayerSource, Registry, ResolvedModel
from camelid.errors import RegistryError
from camelid.types.names import ModelName
from camelid_packaged.files import is_installed, licenses, locate, recorded_digest
from camelid_packaged.offers import Offer, installed_offers

__all__ = ("PackagedModels",)

_MODEL: Final = "application/vnd.ollama.image.model"
_LICENSE: Final = "application/vnd.ollama.image.license"


class PackagedModels(Registry):
    """Finds a model in the packages that are installed now: nothing is remembered between two questions."""

    @property
    def name(self) -> str:
        """`packaged`."""
        return "packaged"

    @property
    def remote(self) -> bool:
        """No: what is installed is here."""
        return False

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        """The file of the package that offers `name`, and the package's license.

        There is no template layer: the one inside the GGUF file holds.

        Raises:
            RegistryError: a package offers the name but does not hold the file.
        """
        wanted = name.qualified.lower()
        for offer in installed_offers():
            if offer.name.qualified.lower() == wanted and is_installed(offer.location):
                return _resolved(offer)
        return None


def _resolved(offer: Offer) -> ResolvedModel:
    try:
        file = locate(offer.location)
        size = file.stat().st_size
        texts = [text.encode() for text in licenses(offer.distribution)]
    except (RegistryError, OSError, UnicodeError) as error:
        raise RegistryError(
            f"the package {offer.distribution} offers {offer.name} but is damaged: install it again", reason=str(error)
        ) from error
    digest = recorded_digest(offer.distribution, file)
    model = LayerSource(media_type=_MODEL, blob=BlobSource(digest=digest, size=size, path=file))
    license_layers = (
        LayerSource(media_type=_LICENSE, blob=BlobSource(digest="", size=len(text), content=text)) for text in texts
    )
    return ResolvedModel(layers=(model, *license_layers))
