"""The models on this disk, in Ollama's own layout (contract 13)."""

import logging
import time
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from threading import Lock

import msgspec

from camelid.errors import CamelidError, CorruptManifestError, IncompleteModelError, InvalidModelFileError, StoreError
from camelid.store.blobs import BlobStore
from camelid.store.durable import disk_errors, make_folder
from camelid.store.formats import GGUF
from camelid.store.gguf import GGUFHeader
from camelid.store.headers import Headers
from camelid.store.manifest import Manifest, decode_manifest, encode_manifest
from camelid.store.manifest_tree import ManifestFile, ManifestTree, Stamp
from camelid.store.origins import Origins
from camelid.store.prefixes import Prefixes
from camelid.store.stored import StoredModel, read_stored
from camelid.store.summary import HeaderSummary
from camelid.store.sweep import rename_old_blobs, sweep
from camelid.store.workplace import Workplace
from camelid.types.artifact import FileRole, ModelFile
from camelid.types.names import ModelName

__all__ = ("Store",)

_log = logging.getLogger(__name__)


class Store:
    """A models folder. Every method may block on the disk; all may be called from any thread.

    Another server, Ollama's included, may use the same folder at the same time.
    """

    def __init__(self, root: Path, *, prune: bool = True) -> None:
        """Open a models folder, made if need be.

        Args:
            root: the folder; `~` is understood.
            prune: remove what no model uses, now and when a model is replaced.

        Raises:
            StoreError: the folder cannot be made.
        """
        expanded = root.expanduser()
        with disk_errors(expanded / "blobs"):
            self.root = expanded.resolve()
            # These two may be links to another disk; below them no link is followed.
            blobs, manifests = (self.root / "blobs").resolve(), (self.root / "manifests").resolve()
            make_folder(blobs)
            make_folder(manifests)
            rename_old_blobs(blobs)
        self.blobs = BlobStore(blobs)
        self._tree = ManifestTree(manifests)
        self._prune = prune
        self._lock = Lock()
        self._headers = Headers(self.root / ".camelid" / "headers")
        self.origins = Origins(self.root / ".camelid" / "origins")
        """Of blobs that came without a digest."""
        self.prefixes = Prefixes(self.root / ".camelid" / "prefixes")
        self._read: dict[str, StoredModel] = {}
        self._seen: dict[str, tuple[Stamp, StoredModel]] = {}
        self._complained: set[tuple[ModelName, str]] = set()
        if prune:
            self.prune()

    def list(self) -> list[StoredModel]:
        """Every model that can be read, in alphabetical order; the others are logged and left out.

        Raises:
            StoreError: a folder cannot be read.
        """
        found = []
        for file in self._tree.files():
            try:
                model = self._load(file)
            except StoreError as error:
                self._complain(file, error)
            else:
                if model is not None:
                    found.append(model)
        digests, names = {model.digest for model in found}, {model.name for model in found}
        with self._lock:
            self._read = {digest: model for digest, model in self._read.items() if digest in digests}
            self._seen = {path: seen for path, seen in self._seen.items() if seen[1].name in names}
        return found

    def find(self, name: ModelName) -> StoredModel | None:
        """The model of that name, in whatever case it is written; None if there is none.

        Raises:
            CorruptManifestError: its manifest is not valid.
            IncompleteModelError: one of its blobs is missing.
            RequestError: `invalid model name`.
        """
        file = self._tree.find(name)
        model = None if file is None else self._load(file)
        if model is None:
            return None
        for digest in sorted(model.manifest.digests):
            if not self.blobs.has(digest):
                raise IncompleteModelError(
                    f"model {model.name.short} is incomplete: pull or create it again", reason=f"no blob {digest}"
                )
        return model

    def manifest(self, name: ModelName) -> tuple[bytes, Manifest] | None:
        """A model's manifest, as it is and as it reads; None if there is no such model.

        Raises:
            CorruptManifestError: it is not valid.
            IncompleteModelError: a blob that it names is missing.
        """
        file = self._tree.find(name)
        content = None if file is None else self._tree.read(file)
        if content is None:
            return None
        manifest = decode_manifest(content[0])
        for digest in sorted(manifest.digests):
            if not self.blobs.has(digest):
                raise IncompleteModelError(
                    f"model {name.short} is incomplete: pull or create it again", reason=f"no blob {digest}"
                )
        return content[0], manifest

    def format_of(self, digest: str) -> str:
        """The format of a model whose weights are this blob; empty if there is none.

        Raises:
            StoreError: a folder cannot be read.
        """
        weights = ((model, file) for model in self.list() for file in model.artifact.with_role(FileRole.MODEL))
        return next((model.artifact.format for model, file in weights if file.digest == digest), "")

    def header(self, file: ModelFile) -> GGUFHeader:
        """All that a GGUF file of a model says of itself; its arrays stay in the file.

        Raises:
            InvalidModelFileError: it is no GGUF file, or a broken one.
        """
        return self._headers.header(Path(file.path))

    def spelling(self, name: ModelName) -> ModelName:
        """`name` as it would be written to the disk: parts that exist there keep their case (contract 2.1)."""
        return self._tree.spelling(name)

    def write(self, name: ModelName, manifest: Manifest | bytes, owner: object = None) -> ModelName:
        """Let a model appear under a name, or replace it; the last step of making one.

        Args:
            name: parts that exist on the disk keep their case there.
            manifest: bytes are stored as they are, so that their digest stays.
            owner: for whom the blobs were stored.

        Returns:
            The name as it is spelled on the disk.

        Raises:
            CorruptManifestError: the bytes are no manifest.
            StoreError: a blob that it names is not here.
            DiskFullError: no room; what had that name before is untouched.
        """
        content = manifest if isinstance(manifest, bytes) else encode_manifest(manifest)
        digests = decode_manifest(content).digests
        with self._tree.prepared(content) as prepared, self.blobs.leases.exclusive():
            for digest in sorted(digests):
                if not self.blobs.has(digest):
                    raise StoreError(f"blob {digest} went missing: try again", reason="removed by another program?")
            old = self._tree.find(name)
            spelled = self._tree.spelling(name) if old is None else old.name
            replaced = frozenset() if old is None else self._digests(old)
            self._tree.place(prepared, spelled)
            with self._lock:  # its blobs may have been damaged when it was read
                self._read.pop(sha256(content).hexdigest(), None)
            self.blobs.claim(digests, owner)
        self._tree.sync(spelled)  # before anything of what it replaces goes
        if self._prune:
            self._discard_unused(replaced - digests)
        return spelled

    def release(self, owner: object, digests: Iterable[str] = ()) -> None:
        """Say that `owner` is done, whether or not a model came of it. What cannot be removed now goes later.

        Args:
            owner: for whom blobs were stored.
            digests: those of them to remove if nobody needs them.
        """
        self.blobs.release(owner)
        if self._prune:
            self._discard_unused(digests)

    def workplace(self) -> Workplace:
        """Room for files that shall become blobs once they are complete."""
        return Workplace(self.blobs.folder, self.blobs.leases)

    def copy(self, source: ModelName, destination: ModelName) -> bool:
        """Give a model a second name; nothing happens if both are the same.

        Returns:
            Whether there is such a source.

        Raises:
            CorruptManifestError: its manifest is not valid.
        """
        file = self._tree.find(source)
        content = None if file is None else self._tree.read(file)
        if file is None or content is None:
            return False
        there = self._tree.find(destination)
        if there is None or there.path != file.path:
            self.write(destination, content[0])
        return True

    def delete(self, name: ModelName) -> bool:
        """Remove a model, and its blobs that no other model uses. Works for corrupt manifests too.

        Returns:
            Whether there was such a model.
        """
        with self.blobs.leases.exclusive():
            file = self._tree.find(name)
            if file is None:
                return False
            digests = self._digests(file)
            self._tree.remove(file)
            self._discard_unused(digests)
            return True

    def prune(self) -> None:
        """Remove old blobs that no model uses, remains of interrupted writes, and empty folders (contract 13.4).

        Nothing is removed while any manifest is corrupt: what it uses cannot be known.
        """
        try:
            self._used()  # from a slow disk into the system's memory, so that nobody waits while it is read again
            with self.blobs.leases.exclusive():
                sweep(self.blobs, self._tree, self._used())
            self._headers.sweep(self.blobs.folder)
            self.origins.sweep(self.blobs.folder)
            self.prefixes.sweep(self.blobs.folder)
        except StoreError as error:
            _log.warning("pruning stopped: %s (%s)", error, error.reason)

    def _load(self, file: ManifestFile) -> StoredModel | None:
        """Read a model, or take it from memory: an unchanged file holds the same manifest, and that the same blobs."""
        seen = self._seen.get(file.path)
        if seen is not None and seen[0] == file.stamp:
            return seen[1]
        now = time.time_ns()
        content = self._tree.read(file)
        if content is None:
            return None
        model = self._decode(file, sha256(content[0]).hexdigest(), *content)
        whole = model.artifact.format != GGUF or model.header is not None
        with self._lock:
            if whole:  # a broken file may be replaced without a change of the manifest
                self._read[model.digest] = model
                if file.stamp.settled(now):
                    self._seen[file.path] = (file.stamp, model)
        return model

    def _decode(self, file: ManifestFile, digest: str, content: bytes, modified_at: float) -> StoredModel:
        known = self._read.get(digest)
        if known is not None:
            artifact = msgspec.structs.replace(known.artifact, name=file.name.short)
            return msgspec.structs.replace(known, name=file.name, modified_at=modified_at, artifact=artifact)
        try:
            model = read_stored(self.blobs, file.name, digest, modified_at, decode_manifest(content))
        except IncompleteModelError:
            raise
        except CorruptManifestError as error:
            message = f"model {file.name.short} is corrupt: delete it, or pull or create it again"
            raise CorruptManifestError(message, reason=f"{error}: {error.reason}") from error
        if model.artifact.format == GGUF:
            header, projector = (self._summary(file, model, role) for role in (FileRole.MODEL, FileRole.PROJECTOR))
            model = msgspec.structs.replace(model, header=header, projector=projector)
        return model

    def _summary(self, file: ManifestFile, model: StoredModel, role: FileRole) -> HeaderSummary | None:
        """The facts of the first file of a role; None if there is no such file, or it is broken."""
        for part in model.artifact.with_role(role)[:1]:
            try:
                return self._headers.summary(Path(part.path))
            except InvalidModelFileError as error:
                self._complain(file, error)
        return None

    def _digests(self, file: ManifestFile) -> frozenset[str]:
        """The blobs that a manifest names; none if it is corrupt or gone."""
        try:
            content = self._tree.read(file)
            return frozenset() if content is None else decode_manifest(content[0]).digests
        except StoreError as error:
            self._complain(file, error)
            return frozenset()

    def _used(self) -> set[str]:
        """The blobs that any manifest names.

        Raises:
            StoreError: a manifest cannot be read.
        """
        used: set[str] = set()
        for file in self._tree.files():
            content = self._tree.read(file)
            if content is not None:
                used |= decode_manifest(content[0]).digests
        return used

    def _discard_unused(self, digests: Iterable[str]) -> None:
        """Remove those of some blobs that no manifest names and nobody is about to use. Never raises a StoreError."""
        wanted = frozenset(digests)
        if not wanted:
            return
        try:
            with self.blobs.leases.exclusive():
                for digest in wanted - self._used():
                    self._discard(digest)
        except StoreError as error:  # for example a corrupt manifest, of which nobody knows what it uses
            _log.warning("blobs are kept for now: %s (%s)", error, error.reason)

    def _discard(self, digest: str) -> None:
        try:
            if self.blobs.discard(digest):
                self._headers.forget(self.blobs.path(digest).name)
                self.prefixes.forget(self.blobs.path(digest).name)
        except StoreError as error:  # Windows removes no file that a worker has open; the next start does
            _log.warning("blob %s stays for now: %s (%s)", digest, error, error.reason)

    def _complain(self, file: ManifestFile, error: CamelidError) -> None:
        """Log what is wrong with a model, once."""
        complaint = (file.name, error.reason)
        if complaint not in self._complained:
            self._complained.add(complaint)
            _log.warning("%s: %s (%s)", file.path, error, error.reason)
