"""Which GGUF files of a repository are meant."""

import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from camelid.errors import RegistryError
from camelid_huggingface.quantization import DEFAULT, Quantization, find_quantization
from camelid_huggingface.repository import RepositoryFile

__all__ = ("Candidate", "choose_projector", "choose_weights", "list_candidates")

_ENDING: Final = ".gguf"
_PIECE: Final = re.compile(r"(?P<stem>.+)-(?P<place>\d{5})-of-(?P<count>\d{5})")
_PROJECTOR: Final = re.compile(r"(?<![a-z0-9])mmproj(?![a-z0-9])")
_NO_MODEL: Final = re.compile(r"(?<![a-z0-9])imatrix(?![a-z0-9])|^ggml-vocab-")
_PROJECTOR_TYPES: Final = ("F16", "BF16", "F32", "Q8_0")
"""In the order of preference: projectors are small, and pictures suffer from few bits."""
_ENOUGH_BITS: Final = 4


class Candidate(msgspec.Struct, frozen=True):
    """A model in a repository: one file, or the pieces of one."""

    stem: str
    """Its path without the ending, and without a piece's numbers."""
    files: tuple[RepositoryFile, ...]
    count: int = 0
    """Of the pieces that there should be; 0 for a whole file."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.bytes for file in self.files)

    @property
    def quantization(self) -> Quantization | None:
        """What its path says."""
        return find_quantization(self.stem)

    @property
    def name(self) -> str:
        """The stem without folders."""
        return self.stem.rpartition("/")[2]

    @property
    def label(self) -> str:
        """The shortest tag that means it."""
        return str(self.quantization or f"{self.name}{_ENDING}")


def list_candidates(files: Iterable[RepositoryFile]) -> list[Candidate]:
    """The models among the files of a repository, without projectors and what is no model."""
    pieces: dict[tuple[str, int], dict[int, RepositoryFile]] = {}
    found = []
    for file in _gguf_files(files):
        stem = file.path[: -len(_ENDING)]
        matched = _PIECE.fullmatch(stem)
        if _PROJECTOR.search(file.name.lower()) or _NO_MODEL.search(file.name.lower()):
            continue
        if matched is None:
            found.append(Candidate(stem, (file,)))
        else:
            pieces.setdefault((matched["stem"], int(matched["count"])), {})[int(matched["place"])] = file
    for (stem, count), numbered in pieces.items():
        found.append(Candidate(stem, tuple(numbered[place] for place in sorted(numbered)), count))
    return found


def choose_weights(candidates: Iterable[Candidate], tag: str) -> Candidate:
    """The model that a tag means.

    Args:
        candidates: of the repository; at least one.
        tag: a quantization, a file's name, or words of it; case does not matter. `latest` is
            `Q4_K_M`, else the smallest with at least four bits, else the largest.

    Raises:
        RegistryError: there is none, or pieces of it are missing.
    """
    ordered = sorted(candidates, key=_plainness)
    wanted = tag.lower()
    chosen = _default(ordered) if wanted == "latest" else _tagged(ordered, wanted)
    if chosen is None:
        known = ", ".join(dict.fromkeys(candidate.label for candidate in ordered))
        raise RegistryError(f"the repository has no {tag}; it has {known}")
    if chosen.count and len(chosen.files) != chosen.count:
        shards = f"has {len(chosen.files)} shards, expected {chosen.count}"
        raise RegistryError(f'split GGUF "{chosen.files[0].path}" {shards}')
    return chosen


def _plainness(candidate: Candidate) -> tuple[bool, bool, int, int, str]:
    """Sorts those of the same quantization: whole files first, then the least decorated name."""
    dynamic = candidate.quantization is not None and candidate.quantization.dynamic
    return dynamic, candidate.count > 0, candidate.stem.count("/"), len(candidate.name), candidate.stem


def _default(ordered: list[Candidate]) -> Candidate:
    quantized = [(candidate, found) for candidate in ordered if (found := candidate.quantization)]
    usual = [candidate for candidate, found in quantized if found.label == DEFAULT]
    if usual:
        return usual[0]
    enough = [candidate for candidate, found in quantized if found.bits >= _ENOUGH_BITS]
    if enough or not quantized:
        return min(enough or ordered, key=lambda candidate: candidate.size)
    return max((candidate for candidate, _ in quantized), key=lambda candidate: candidate.size)


def _tagged(ordered: list[Candidate], wanted: str) -> Candidate | None:
    """By the file's name, by its quantization, by a part of its path."""
    name = wanted.removesuffix(_ENDING)
    part = re.compile(rf"(?<![a-z0-9_]){re.escape(name)}(?![a-z0-9_])")
    quantization = find_quantization(wanted)
    spelled = wanted if quantization is None else str(quantization).lower()
    tests: tuple[Callable[[Candidate], bool], ...] = (
        lambda candidate: (
            candidate.name.lower() == name or any(file.name.lower() == f"{name}{_ENDING}" for file in candidate.files)
        ),
        lambda candidate: str(candidate.quantization).lower() == spelled,
        lambda candidate: candidate.quantization is not None and candidate.quantization.label.lower() == spelled,
        lambda candidate: part.search(candidate.stem.lower()) is not None,
    )
    return next((candidate for test in tests for candidate in ordered if test(candidate)), None)


def choose_projector(files: Iterable[RepositoryFile], weights: Candidate) -> RepositoryFile | None:
    """The projector that belongs to a model: of its folder if there is one, in 16 bits if there is a choice."""
    folder = weights.stem.rpartition("/")[0]

    def order(file: RepositoryFile) -> tuple[bool, int, str]:
        quantization = find_quantization(file.name)
        label = quantization.label if quantization is not None else ""
        known = label in _PROJECTOR_TYPES
        rank = _PROJECTOR_TYPES.index(label) if known else len(_PROJECTOR_TYPES)
        return file.path.rpartition("/")[0] != folder, rank, file.path

    return min((file for file in _gguf_files(files) if _PROJECTOR.search(file.name.lower())), key=order, default=None)


def _gguf_files(files: Iterable[RepositoryFile]) -> Iterable[RepositoryFile]:
    return (file for file in files if file.path.lower().endswith(_ENDING) and file.is_inside)
