"""Load options that only this backend has."""

import msgspec

__all__ = ("OnnxOptions",)


class OnnxOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `LoadOptions.backend` may say to ONNX Runtime."""

    provider: str = "auto"
    """What computes: `cpu`, `cuda`, `directml`, or the name of a provider that was registered as a plugin; `auto` is
    what the model was made for if it is there, else the best that loads the model."""
    pooling: str = ""
    """How an encoder's vectors become one, if its files do not say: `mean`, `cls`, `max` or `last`."""
    spin: bool = True
    """Threads that wait spin for a moment instead of sleeping: faster on a machine that does nothing else."""
