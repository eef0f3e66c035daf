"""Which registry is asked for a name, and under which: order, mirrors, and who may be asked at all."""

from collections.abc import Sequence
from typing import Final

import msgspec

from camelid.contracts.registry import BlobSource, BlobStream, Registry, ResolvedModel, TransientRegistryError
from camelid.errors import CamelidError, ConfigurationError, ForbiddenRegistryError, RegistryError, RequestError
from camelid.services.registry_call import CallRules, Watch, call_registry
from camelid.services.watched_job import AbandonedError
from camelid.store.transfer_policy import TransferPolicy
from camelid.types.names import ModelName, Transport

__all__ = ("Known", "Registries", "RegistryRules", "broken")

_MANIFEST: Final = "pull model manifest: "
_TRIES: Final = 3
_PAUSE: Final = 0.5
"""Seconds before the second question to a registry that is busy; twice as many before the third."""


class RegistryRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say (`camelid.settings`)."""

    first: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = None
    air_gapped: bool = False


class Known(msgspec.Struct, frozen=True):
    """A model, and the registry that knows it."""

    registry: Registry
    model: ResolvedModel

    def open_range(self, blob: BlobSource, offset: int, length: int, /) -> BlobStream:
        """`Registry.open_range`; what is wrong in a plugin is an error that names it."""
        try:
            return self.registry.open_range(blob, offset, length)
        except (CamelidError, OSError):
            raise
        except Exception as error:  # a plugin's bug must not look like one of the server
            raise broken(self.registry, error) from error


class Registries:
    """All registries of a server. Asking them may block."""

    def __init__(
        self,
        registries: Sequence[Registry],
        rules: RegistryRules | None = None,
        *,
        patience: float = TransferPolicy().patience,
    ) -> None:
        """Sort.

        Args:
            registries: as they registered. Those that the rules name are asked first, in that order, then those of
                this machine, then those that ask other machines.
            rules: from the settings.
            patience: seconds that one on another machine may take to resolve a name.

        Raises:
            ConfigurationError: the rules name a registry that there is not, or a mirror is none.
        """
        self._rules = RegistryRules() if rules is None else rules
        self._patience = patience
        self._registries = _in_order(registries, self._rules.first)
        self._mirrors = dict(map(_read_mirror, self._rules.mirrors))
        hosts = self._rules.hosts
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)

    def resolve(self, name: ModelName, *, insecure: bool = False, watch: Watch = lambda: None) -> Known:
        """The first registry that knows `name`, and what it knows.

        Args:
            name: as the client wrote it.
            insecure: ask over plain http.
            watch: ends it, where a registry on another machine does not answer.

        Raises:
            RegistryError: none knows it or may be asked, or one that should know it failed.
        """
        asked = self._asked(name, insecure=insecure)
        speakers = self._speakers(name, _MANIFEST)
        for registry in speakers:
            if registry.remote:
                self._check_allowed(name, _MANIFEST)
            resolved = self._resolve(registry, asked if registry.remote else name, watch)
            if resolved is not None:
                return Known(registry, resolved)
        everyone = ", ".join(registry.name for registry in speakers) or "none, for none is installed"
        raise RegistryError(
            f"{_MANIFEST}file does not exist", reason=f"{name} is unknown; registries asked: {everyone}"
        )

    def target(self, name: ModelName, *, insecure: bool = False) -> tuple[Registry, ModelName]:
        """The registry that takes models under `name`, and the name that it is to be told.

        Raises:
            RegistryError: none takes it, or it may not be asked.
        """
        asked = self._asked(name, insecure=insecure)
        for registry in self._speakers(name, ""):
            if registry.remote and registry.can_push(asked):
                self._check_allowed(name, "")
                return registry, asked
            if not registry.remote and registry.can_push(name):
                return registry, name
        raise RegistryError(f"no installed registry takes models for {name.host}: `camelid plugins` lists them")

    def _resolve(self, registry: Registry, name: ModelName, watch: Watch) -> ResolvedModel | None:
        rules = CallRules(patience=self._patience, tries=_TRIES, pause=_PAUSE, passing=(TransientRegistryError,))
        try:
            if not registry.remote:
                return registry.resolve(name)
            return call_registry(lambda _: registry.resolve(name), rules, watch)
        except RegistryError as error:
            message = error.message
            if registry.remote and not message.startswith(_MANIFEST):
                message = f"{_MANIFEST}{message}"
            raise RegistryError(message, reason=error.reason, plugin=error.plugin) from error
        except (CamelidError, AbandonedError):
            raise
        except OSError as error:
            raise RegistryError(f"{_MANIFEST}{error}", reason=f"{registry.name}: {error!r}") from error
        except Exception as error:  # a plugin's bug must not look like one of the server
            raise broken(registry, error) from error

    def _asked(self, name: ModelName, *, insecure: bool) -> ModelName:
        mirror = self._mirrors.get(name.host.lower())
        if mirror is not None:
            return msgspec.structs.replace(name, host=mirror[1]).over(mirror[0])
        return name.over("http") if insecure else name

    def _speakers(self, name: ModelName, prefix: str) -> list[Registry]:
        """Those that speak what the name says."""
        found = [registry for registry in self._registries if registry.protocol == name.protocol]
        if name.protocol and not found:
            unknown = "addresses of files" if name.path else f"names with {name.protocol}://"
            raise RegistryError(f"{prefix}no installed registry knows {unknown}: `camelid plugins` lists them")
        return found

    def _check_allowed(self, name: ModelName, prefix: str) -> None:
        if self._rules.air_gapped:
            raise ForbiddenRegistryError(f"{prefix}the setting air_gapped allows no registry on another machine")
        if self._hosts is not None and name.host.lower() not in self._hosts:
            raise ForbiddenRegistryError(f"{prefix}the setting registry_hosts does not allow {name.host}")


def _in_order(registries: Sequence[Registry], first: Sequence[str]) -> tuple[Registry, ...]:
    known = {registry.name: registry for registry in sorted(registries, key=lambda registry: registry.remote)}
    for name in first:
        if name not in known:
            choice = ", ".join(sorted(known)) or "none"
            raise ConfigurationError(f"there is no registry {name!r}; the setting registries may name: {choice}")
    return tuple({name: known[name] for name in (*first, *known)}.values())


def _read_mirror(text: str) -> tuple[str, tuple[Transport, str]]:
    """A host, and transport and host of what is asked in its place."""
    host, equals, address = text.partition("=")
    scheme, separator, mirror = address.strip().rstrip("/").partition("://")
    try:
        if not equals or not separator or scheme not in ("http", "https") or "/" in mirror:
            raise RequestError("no mirror")
        for part in (host.strip(), mirror):
            ModelName(part, "library", "x", "latest").check()
        transport: Transport = "http" if scheme == "http" else "https"
    except RequestError as error:
        raise ConfigurationError(
            f"the setting registry_mirrors wants HOST=http://HOST:PORT or HOST=https://HOST, not {text!r}"
        ) from error
    return host.strip().lower(), (transport, mirror)


def broken(registry: Registry, error: Exception) -> RegistryError:
    """What to say of a registry that raised what it must not."""
    return RegistryError(f"the registry {registry.name} failed; see the server's log", reason=repr(error))
