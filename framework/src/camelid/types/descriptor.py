"""What a backend says of itself before anything heavy is imported."""

from collections.abc import Mapping

import msgspec

from camelid.types.capabilities import Capability

__all__ = ("BackendDescriptor",)


class BackendDescriptor(msgspec.Struct, frozen=True):
    """One backend, for choosing it, for `camelid plugins` and for the conformance kit."""

    name: str
    """Short and unique: `llamacpp`, `onnx`."""
    formats: frozenset[str]
    """The `ModelArtifact.format` values it loads."""
    capabilities: frozenset[Capability]
    """What it promises for at least some model; the kit proves each one and that nothing else works."""
    description: str = ""
    options: type[msgspec.Struct] | None = None
    """Its own load options, as a Struct with defaults; values come from `LoadOptions.backend`."""
    priority: int = 0
    """Among several that fit, the highest wins."""
    modules: tuple[str, ...] = ()
    """What a worker may import before it is told what to load, so that loading begins at once: the modules that import
    the runtime."""
    sees_within: frozenset[str] = frozenset()
    """Architectures of GGUF files, as the files call them, that can see here though their projector lies in the same
    file as the language model. Others only read."""
    endings: Mapping[str, str] = {}
    """How names of files end that are models of one of its `formats`, in small letters: `{".rwkv": "rwkv"}`. So
    `camelid create` knows what it is given. Not needed for GGUF, GGML and ONNX, nor for JSON that names its format as
    `camelid_backend`."""
