"""Paths of repositories in OCI registries, which have any depth, as the two parts that names on the disk have for them.

`library/model` stays as it is; `a/b/model` becomes `a___b` and `model`, `my.org/model` becomes `my_-_org` and `model`,
and `model` alone becomes `_` and `model`. No component of a path is `_`, or has `___` or `_-_` in it: so every path has
names of its own, and they lead back to it.
"""

import re
from typing import Final

from camelid.errors import RequestError

__all__ = ("fold_path", "unfold_path")

_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_ALONE: Final = "_"
_SLASH: Final = "___"
_DOT: Final = "_-_"


def fold_path(path: str) -> tuple[str, str]:
    """Namespace and model of a path. One that has a folded namespace is taken for what that stands for.

    Raises:
        RequestError: `invalid model name`: no repository has such a path.
    """
    folded, slash, model = path.rpartition("/")
    components = unfold_path(folded, model).split("/") if slash else [model]
    for component in components:
        if not _COMPONENT.fullmatch(component):
            raise RequestError("invalid model name", reason=f"{component!r} is not allowed in a repository's path")
    namespace = _SLASH.join(component.replace(".", _DOT) for component in components[:-1])
    return namespace or _ALONE, components[-1]


def unfold_path(namespace: str, model: str) -> str:
    """The path that `fold_path` made these parts of."""
    if namespace == _ALONE:
        return model
    return f"{namespace.replace(_DOT, '.').replace(_SLASH, '/')}/{model}"
