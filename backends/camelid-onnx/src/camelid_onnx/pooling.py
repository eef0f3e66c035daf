"""How the vectors of an input's tokens become one vector."""

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from camelid.errors import InvalidModelFileError
from camelid_onnx.folder import ModelFolder

__all__ = ("POOLINGS", "Pooling", "read_pooling")

Pooling: TypeAlias = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""From vectors of shape (inputs, tokens, dimensions) to (inputs, dimensions)."""


def _mean(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = vectors.mean(axis=1)
    return found


def _first(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return vectors[:, 0]


def _last(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return vectors[:, -1]


def _largest(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = vectors.max(axis=1)
    return found


POOLINGS: Final[dict[str, Pooling]] = {"mean": _mean, "cls": _first, "max": _largest, "last": _last}


class _PoolingConfig(msgspec.Struct):
    """The pooling of a Sentence Transformers folder."""

    pooling_mode_cls_token: bool = False
    pooling_mode_mean_tokens: bool = False
    pooling_mode_max_tokens: bool = False
    pooling_mode_lasttoken: bool = False
    pooling_mode_mean_sqrt_len_tokens: bool = False
    pooling_mode_weightedmean_tokens: bool = False


class _Module(msgspec.Struct):
    type: str = ""


def read_pooling(folder: ModelFolder) -> str:
    """What a folder says of pooling: a key of `POOLINGS`; empty if it says nothing.

    Raises:
        InvalidModelFileError: it wants a pooling, or another step, that is unknown.
    """
    if "modules.json" in folder:
        for module in folder.json("modules.json", list[_Module]):
            kind = module.type.rpartition(".")[2]
            if kind not in ("Transformer", "Pooling", "Normalize"):
                raise InvalidModelFileError(
                    f"modules.json of model {folder.model!r} asks for a step {kind[:80]!r}, which Camelid does not know"
                )
    name = next((name for name in folder.named("config.json") if name.endswith("_Pooling/config.json")), "")
    if not name:
        return ""
    config = folder.json(name, _PoolingConfig)
    chosen = [
        kind
        for kind, on in (
            ("cls", config.pooling_mode_cls_token),
            ("mean", config.pooling_mode_mean_tokens),
            ("max", config.pooling_mode_max_tokens),
            ("last", config.pooling_mode_lasttoken),
            ("other", config.pooling_mode_mean_sqrt_len_tokens or config.pooling_mode_weightedmean_tokens),
        )
        if on
    ]
    if len(chosen) != 1 or chosen[0] not in POOLINGS:
        raise InvalidModelFileError(
            f"{name} of model {folder.model!r} asks for a pooling other than {', '.join(POOLINGS)}, or for several"
        )
    return chosen[0]
