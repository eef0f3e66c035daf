"""Names that stand for others (the setting `aliases`)."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Final

from camelid.errors import ConfigurationError, RequestError
from camelid.services.references import REMOTE_UNAVAILABLE, parse_reference
from camelid.types.names import ModelName

__all__ = ("NO_ALIASES", "Aliases")


class Aliases:
    """What clients mean by a name, wherever they only use a model. One step: an alias of an alias is none."""

    def __init__(self, entries: Sequence[str]) -> None:
        """Read the setting.

        Args:
            entries: each as `NAME=MODEL`; of two with the same name the later counts.

        Raises:
            ConfigurationError: one is none.
        """
        self._meant: Mapping[str, ModelName] = dict(map(_read, entries, count(1)))

    def resolve(self, name: ModelName) -> ModelName:
        """The name that `name` stands for; most often itself."""
        return name if name.protocol else self._meant.get(name.qualified.lower(), name)

    def parse(self, asked: str, *, unavailable: str = REMOTE_UNAVAILABLE) -> ModelName:
        """The local model that a client means by what it sent; see `parse_reference`.

        Raises:
            RequestError: the name breaks the grammar, or has two sources.
            RemoteModelError: it names a model in the cloud.
        """
        return self.resolve(parse_reference(asked, unavailable=unavailable))


def _read(entry: str, place: int) -> tuple[str, ModelName]:
    alias, _, meant = (part.strip() for part in entry.partition("="))
    try:
        name = ModelName.parse(alias)
        if name.protocol:
            raise RequestError("an address stands for nothing else")
        return name.qualified.lower(), ModelName.parse(meant)
    except RequestError as error:
        # Not what it says: an address may hold a password.
        raise ConfigurationError(
            f"the setting aliases wants NAME=MODEL, both names of models, and entry {place} is none: {error.message}",
            reason=error.reason,
        ) from error


NO_ALIASES: Final = Aliases(())
