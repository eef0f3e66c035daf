"""What a new package is called, and everything in it."""

import re
from importlib.metadata import entry_points
from typing import Final

import msgspec

from camelid.errors import RequestError
from camelid.hookspecs import PROJECT

__all__ = ("PackageNames", "check_free")

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_PREFIX: Final = "camelid-"
_LONGEST: Final = 40


class PackageNames(msgspec.Struct, frozen=True):
    """The names that follow from the one that an author chose."""

    name: str
    """Of the plugin, and of its backend or registry: `my-runtime`."""

    @classmethod
    def parse(cls, text: str) -> "PackageNames":
        """Read the name as an author writes it; `camelid-my-runtime` means `my-runtime`.

        Raises:
            RequestError: no package can be called like that.
        """
        name = text.removeprefix(_PREFIX)
        if not _NAME.fullmatch(name) or len(name) > _LONGEST:
            raise RequestError(
                f"{text!r} cannot be the name of a package: take small letters and digits, with hyphens between words, "
                f"{_LONGEST} characters at most, as in my-runtime"
            )
        return cls(name)

    @property
    def distribution(self) -> str:
        """What pip calls it: `camelid-my-runtime`."""
        return f"{_PREFIX}{self.name}"

    @property
    def module(self) -> str:
        """What Python imports: `camelid_my_runtime`."""
        return self.distribution.replace("-", "_")

    @property
    def classes(self) -> str:
        """What its classes begin with: `MyRuntime`."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    @property
    def word(self) -> str:
        """Where no hyphen may stand, as in the ending of a file or the scheme of an address: `myruntime`."""
        return self.name.replace("-", "")


def check_free(names: PackageNames) -> None:
    """See that no installed plugin has the name: of two with one name, only the first is loaded.

    Raises:
        RequestError: one has it.
    """
    entry = next(iter(entry_points(group=PROJECT, name=names.name)), None)
    if entry is not None:
        owner = entry.dist.name if entry.dist else "a package"
        raise RequestError(
            f"{owner}, which is installed, has a plugin {names.name!r} already: choose another name, or uninstall it"
        )
