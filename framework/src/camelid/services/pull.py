"""Fetching a model from where it comes from (contract 7.8)."""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Final

from camelid.contracts.registry import BlobSource, BlobStream, Registry, ResolvedModel
from camelid.errors import CamelidError, RegistryError
from camelid.services.progress import SUCCESS, WRITING_MANIFEST, Progress
from camelid.services.pull_job import PullJob, Report
from camelid.store.install import install
from camelid.store.store import Store
from camelid.types.names import ModelName

__all__ = ("Pull",)

_PULLING_MANIFEST: Final = "pulling manifest"
_VERIFYING: Final = "verifying sha256 digest"
_LOCAL_FILE: Final = "pulling a file on this machine"
"""While its digest is still being computed."""
_SHORT_DIGEST: Final = slice(len("sha256:"), len("sha256:") + 12)

_log = logging.getLogger(__name__)


class Pull:
    """Fetches models; whoever asks for the same one at the same time shares the work."""

    def __init__(self, store: Store, registries: Sequence[Registry]) -> None:
        """Bind.

        Args:
            store: where models go.
            registries: asked in this order; the first that knows a name is taken.
        """
        self._store = store
        self._registries = registries
        self._jobs: dict[str, PullJob] = {}

    async def __call__(self, name: ModelName, *, insecure: bool = False) -> AsyncGenerator[Progress, None]:
        """Fetch `name`; the last line is `success`. Close the iterator to stop, if nobody else waits for the same.

        Args:
            name: of the model; it is stored under the same.
            insecure: allow names that say `http://`.

        Raises:
            RegistryError: no registry knows the name, it is not to be asked over plain http, or the registry that knows
                it failed or gave what it did not announce.
            CamelidError: the model could not be stored.
        """
        if name.scheme == "http" and not insecure:
            raise RegistryError("insecure protocol http", reason=f"{name} was pulled without `insecure`")
        key = name.qualified.lower()
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = PullJob(partial(self._fetch, name), partial(self._forget, key))
        with job.watch() as watcher:
            async for line in watcher:
                yield line

    def _forget(self, key: str, job: PullJob) -> None:
        """Let the next pull of the same name begin anew."""
        if self._jobs.get(key) is job:
            del self._jobs[key]

    def _fetch(self, name: ModelName, report: Report) -> None:
        """The whole work, in a thread."""
        report(Progress(_PULLING_MANIFEST))
        registry, resolved = self._resolve(name)
        _log.info("pulling %s from the registry %s", name, registry.name)

        def on_progress(digest: str, total: int, completed: int) -> None:
            status = f"pulling {digest[_SHORT_DIGEST]}" if digest else _LOCAL_FILE
            report(Progress(status, digest, total, completed))

        install(self._store, name, resolved, _opener(registry), on_progress)
        # Each blob is verified as it arrives and the manifest is written last; the lines are what clients know.
        report(Progress(_VERIFYING))
        report(Progress(WRITING_MANIFEST))
        report(Progress(SUCCESS))

    def _resolve(self, name: ModelName) -> tuple[Registry, ResolvedModel]:
        for registry in self._registries:
            try:
                resolved = registry.resolve(name)
            except CamelidError:
                raise
            except Exception as error:  # a plugin's bug must not look like one of the server
                raise _broken(registry, error) from error
            if resolved is not None:
                return registry, resolved
        asked = ", ".join(registry.name for registry in self._registries) or "none, for none is installed"
        raise RegistryError(
            "pull model manifest: file does not exist", reason=f"{name} is unknown; registries asked: {asked}"
        )


def _opener(registry: Registry) -> Callable[[BlobSource, int], BlobStream]:
    def open_blob(blob: BlobSource, offset: int) -> BlobStream:
        try:
            return registry.open(blob, offset)
        except (CamelidError, OSError):
            raise
        except Exception as error:  # the same as for `resolve`
            raise _broken(registry, error) from error

    return open_blob


def _broken(registry: Registry, error: Exception) -> RegistryError:
    return RegistryError(f"the registry {registry.name} failed; see the server's log", reason=repr(error))
