"""LoRA adapters of a few kilobytes with random weights, as GGUF files. Needs the package `gguf`."""

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

__all__ = ("lora_matrices", "write_adapter")


def lora_matrices(
    shapes: Mapping[str, tuple[int, int]], *, rank: int = 2, strength: float = 1.0, seed: int = 3
) -> dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """The two matrices for each tensor: A of shape (rank, inputs) and B of shape (outputs, rank).

    Args:
        shapes: name of a tensor of the model → its outputs and inputs.
        rank: of the product B·A.
        strength: standard deviation of the product's output where that of its input is 1.
        seed: of the weights.
    """
    random = np.random.default_rng(seed)
    return {
        name: (
            random.normal(0.0, 1 / np.sqrt(inputs), (rank, inputs)).astype(np.float32),
            random.normal(0.0, strength / np.sqrt(rank), (outputs, rank)).astype(np.float32),
        )
        for name, (outputs, inputs) in shapes.items()
    }


def write_adapter(
    path: Path,
    matrices: Mapping[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]],
    *,
    architecture: str = "llama",
    alpha: float = 4.0,
) -> Path:
    """Write an adapter, which adds B·A·alpha/rank to each tensor.

    Args:
        path: the file to write.
        matrices: from `lora_matrices`.
        architecture: of the model.
        alpha: of LoRA.
    """
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for name, (first, second) in matrices.items():
        writer.add_tensor(f"{name}.lora_a", first)
        writer.add_tensor(f"{name}.lora_b", second)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
