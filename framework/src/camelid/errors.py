"""Every error Camelid raises, as one tree; the class decides the HTTP status.

::

    CamelidError                      500
    ├── RequestError                  400  the client can mend it
    │   ├── RequestTooLargeError      413
    │   ├── InvalidOptionError        500  (Ollama's status for a wrong option type, contract 3.1)
    │   ├── NotFoundError             404
    │   │   ├── ModelNotFoundError    404
    │   │   └── BlobNotFoundError     404
    │   ├── RemoteModelError          403  Camelid forwards nothing to other hosts
    │   ├── UnsupportedCapabilityError 400
    │   ├── DigestMismatchError       400
    │   ├── PromptTooLongError        400
    │   └── UnusableVectorError       400  an embedding that is no finite vector
    ├── RequestCancelledError         499  the client went away
    ├── ServerBusyError               503  a queue is full
    ├── ModelError                    500  the model's files, or loading them
    │   ├── InvalidModelFileError     500
    │   ├── ModelLoadError            500
    │   └── ModelMemoryError          500
    │       └── AcceleratorMemoryError 500  fewer layers there would do
    ├── WorkerError                   500  the process that holds a model
    │   ├── WorkerDiedError           500
    │   ├── WorkerTimeoutError        500
    │   ├── WorkerQuarantinedError    503  it died too often; the reason is shown
    │   └── ProtocolError             500
    ├── PluginError                   500  names the plugin at fault
    │   ├── PluginLoadError           500
    │   ├── HookError                 500
    │   ├── ApiVersionError           500
    │   └── MissingDependencyError    500
    ├── StoreError                    500  models on this disk
    │   ├── CorruptManifestError      500
    │   │   └── IncompleteModelError  404  pulling it again heals it (contract 1.6)
    │   └── DiskFullError             507
    ├── RegistryError                 500  where models come from (Ollama's status, contract 7.8)
    │   └── ForbiddenRegistryError    403  the server's settings do not allow to ask it
    └── ConfigurationError            500  settings, flags, ports; ends the command

Two more are defined where they are used: ``KVCacheFullError`` in the contract of generation, ``ServerUnreachableError``
in the command line's client.

``message`` is one sentence for the client that says what to do next.
``reason`` is for the log and says why; it is never sent to a client.
``plugin`` names the distribution at fault, when one is.
"""

from typing import ClassVar

__all__ = (
    "AcceleratorMemoryError",
    "ApiVersionError",
    "BlobNotFoundError",
    "CamelidError",
    "ConfigurationError",
    "CorruptManifestError",
    "DigestMismatchError",
    "DiskFullError",
    "ForbiddenRegistryError",
    "HookError",
    "IncompleteModelError",
    "InvalidModelFileError",
    "InvalidOptionError",
    "MissingDependencyError",
    "ModelError",
    "ModelLoadError",
    "ModelMemoryError",
    "ModelNotFoundError",
    "NotFoundError",
    "PluginError",
    "PluginLoadError",
    "PromptTooLongError",
    "ProtocolError",
    "RegistryError",
    "RemoteModelError",
    "RequestCancelledError",
    "RequestError",
    "RequestTooLargeError",
    "ServerBusyError",
    "StoreError",
    "UnsupportedCapabilityError",
    "UnusableVectorError",
    "WorkerDiedError",
    "WorkerError",
    "WorkerQuarantinedError",
    "WorkerTimeoutError",
    "error_class",
)


class CamelidError(Exception):
    """Root of the tree."""

    status: ClassVar[int] = 500

    def __init__(self, message: str, *, reason: str = "", plugin: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.plugin = plugin

    def __str__(self) -> str:
        """The client's sentence."""
        return self.message


class RequestError(CamelidError):
    """The request is wrong; the client can mend it."""

    status = 400


class RequestTooLargeError(RequestError):
    """The request has more bytes than the server takes into memory."""

    status = 413


class InvalidOptionError(RequestError):
    """An option has the wrong type. Ollama answers 500 here (contract 3.1), so do we."""

    status = 500


class NotFoundError(RequestError):
    """What the request names does not exist."""

    status = 404


class ModelNotFoundError(NotFoundError):
    """No such model in the store."""


class BlobNotFoundError(NotFoundError):
    """No such blob in the store."""


class RemoteModelError(RequestError):
    """The model would run on somebody else's machines; Camelid forwards nothing (contract 2.2)."""

    status = 403


class UnsupportedCapabilityError(RequestError):
    """The model or its backend cannot do what was asked."""


class DigestMismatchError(RequestError):
    """The bytes do not have the digest they were announced with."""


class PromptTooLongError(RequestError):
    """The prompt does not fit the context and may not be cut."""


class UnusableVectorError(RequestError):
    """The model makes no finite vector of an input (contract 6.1)."""


class RequestCancelledError(CamelidError):
    """The client went away before its answer began."""

    status = 499


class ServerBusyError(CamelidError):
    """A queue is full; the client may try again."""

    status = 503


class ModelError(CamelidError):
    """A model's files are at fault, or loading them failed."""


class InvalidModelFileError(ModelError):
    """A model file is truncated, malformed or of an unknown format."""


class ModelLoadError(ModelError):
    """The backend could not load the model."""


class ModelMemoryError(ModelError):
    """There is not enough memory to load or run the model."""


class AcceleratorMemoryError(ModelMemoryError):
    """An accelerator has not enough memory; the model may load with fewer layers on it."""


class WorkerError(CamelidError):
    """The process that holds a model misbehaved."""


class WorkerDiedError(WorkerError):
    """The worker's process ended while it was needed."""


class WorkerTimeoutError(WorkerError):
    """The worker did not answer in time."""


class WorkerQuarantinedError(WorkerError):
    """The worker died too often in a short time; it is not started again for a while."""

    status = 503


class ProtocolError(WorkerError):
    """A frame between server and worker could not be understood."""


class PluginError(CamelidError):
    """A plugin is at fault; ``plugin`` names it."""


class PluginLoadError(PluginError):
    """A plugin could not be imported or registered."""


class HookError(PluginError):
    """A hook raised, or returned something its contract does not allow."""


class ApiVersionError(PluginError):
    """A plugin was written for another version of the plugin API."""


class MissingDependencyError(PluginError):
    """A library that a plugin needs is not installed; the message names the command to install it."""


class StoreError(CamelidError):
    """The models on this disk could not be read or written."""


class CorruptManifestError(StoreError):
    """A manifest on disk is not valid."""


class IncompleteModelError(CorruptManifestError):
    """A blob that a manifest names is not on this disk."""

    status = 404


class DiskFullError(StoreError):
    """The disk has no room for what was to be written."""

    status = 507


class RegistryError(CamelidError):
    """A place that models come from failed or refused, or none knows the name."""


class ForbiddenRegistryError(RegistryError):
    """The server's settings do not allow to ask the registry."""

    status = 403


class ConfigurationError(CamelidError):
    """Settings, flags or the environment are wrong; the command ends."""


def error_class(name: str) -> type[CamelidError]:
    """The class in this tree called `name`; `WorkerError` if there is none (a newer worker's error)."""
    found = globals().get(name)
    if isinstance(found, type) and issubclass(found, CamelidError):
        return found
    return WorkerError
