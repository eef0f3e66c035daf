"""Execution providers: which there are, and in which order they are tried."""

import os
from collections.abc import Sequence
from typing import Final

import msgspec

__all__ = ("CPU", "KNOWN", "PLUGIN_LIBRARIES", "Provider", "canonical", "in_order", "plugin_libraries")

CPU: Final = "cpu"
PLUGIN_LIBRARIES: Final = "CAMELID_ONNX_PROVIDERS"
"""Environment variable: `name=path` of each library with a provider, separated as in PATH. Requests cannot name any:
a library is code."""


class Provider(msgspec.Struct, frozen=True):
    """An execution provider that Camelid knows by name."""

    name: str
    """What people call it."""
    label: str
    """For messages."""
    genai: str
    """What ONNX Runtime GenAI calls it."""
    runtime: str
    """What ONNX Runtime calls it."""
    package: str
    """What to install for it."""


KNOWN: Final = (
    Provider("cuda", "CUDA", "cuda", "CUDAExecutionProvider", "camelid-onnx[cuda]"),
    Provider("directml", "DirectML", "dml", "DmlExecutionProvider", "camelid-onnx[directml]"),
    Provider(CPU, "CPU", "cpu", "CPUExecutionProvider", "camelid-onnx[cpu]"),
)
"""The best first."""

_ALIASES: Final = {"dml": "directml", "gpu": "cuda"}


def canonical(name: str) -> str:
    """The one spelling of a provider's name: `cuda` for `CUDAExecutionProvider`; of unknown ones their own."""
    lowered = name.strip().lower()
    for provider in KNOWN:
        if lowered in (provider.name, provider.genai, provider.runtime.lower()):
            return provider.name
    return _ALIASES.get(lowered, name.strip())


def in_order(wanted: str, made_for: Sequence[str], present: Sequence[str], *, gpu: bool) -> list[str]:
    """The providers to try, one after the other.

    Args:
        wanted: a name; `auto` or nothing to choose.
        made_for: what the model's folder names.
        present: those of `KNOWN` that the installed library has, the best first.
        gpu: whether accelerators may be used.
    """
    name = canonical(wanted)
    if name not in ("", "auto"):
        return [name]
    if not gpu:
        return [CPU]
    asked = [canonical(each) for each in made_for]
    known = {provider.name for provider in KNOWN}
    usable = [each for each in asked if each in present or each not in known]
    return list(dict.fromkeys([*usable, *present, CPU]))


def plugin_libraries() -> dict[str, str]:
    """Paths of the provider libraries that this machine's owner named, by the provider's name."""
    entries = os.environ.get(PLUGIN_LIBRARIES, "").split(os.pathsep)
    pairs = (entry.partition("=") for entry in entries)
    return {name.strip(): path.strip() for name, equals, path in pairs if equals and name.strip() and path.strip()}
