"""Every setting, once: its name, type, default and meaning.

A value comes from, the later ones winning: the default here, `camelid.toml`, `OLLAMA_*` variables,
`CAMELID_*` variables (the field's name in capitals), flags of the command line. `camelid.configuration` reads them.
The file is `~/.config/camelid/camelid.toml`, or the one that the variable `CAMELID_CONFIG` names.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from camelid.types.durations import FOREVER

__all__ = ("FOREVER", "IGNORED_VARIABLES", "INHERITED_VARIABLES", "OLLAMA_SETTINGS", "Settings")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration of one server."""

    host: str = "127.0.0.1:11434"
    """Address to listen on, and for commands to talk to: `host`, `host:port`, `:port`. `OLLAMA_HOST`."""
    models: Path = Path("~/.ollama/models")
    """Folder of the store, in Ollama's layout. `OLLAMA_MODELS`."""
    keep_alive: float = 300.0
    """Seconds an idle model stays loaded; infinite for ever. `OLLAMA_KEEP_ALIVE`."""
    load_timeout: float = 300.0
    """Seconds a model may take to load; infinite for no limit. `OLLAMA_LOAD_TIMEOUT`."""
    context_length: int = 4096
    """Tokens of context, where neither model nor request says. `OLLAMA_CONTEXT_LENGTH`."""
    num_parallel: int = 0
    """Sequences generated at once for each model; 0 = 4 if the KV cache for them is small beside the free memory,
    else 1. `OLLAMA_NUM_PARALLEL`."""
    max_loaded_models: int = 0
    """Models loaded at once; 0 = 3. `OLLAMA_MAX_LOADED_MODELS`."""
    max_queue: int = 512
    """Requests that may wait, for a model to load or for a free sequence. `OLLAMA_MAX_QUEUE`."""
    origins: tuple[str, ...] = ()
    """Browser origins allowed beside the local ones. `OLLAMA_ORIGINS`."""
    noprune: bool = False
    """Keep blobs that no model uses. `OLLAMA_NOPRUNE`."""
    nohistory: bool = False
    """Keep no history of what is typed in an interactive chat. `OLLAMA_NOHISTORY`."""
    editor: str = ""
    """Program in which Ctrl+G opens a message of an interactive chat; else what `VISUAL` or `EDITOR` says.
    `OLLAMA_EDITOR`."""
    debug: bool = False
    """Log in detail. `OLLAMA_DEBUG`."""
    flash_attention: bool | None = None
    """`OLLAMA_FLASH_ATTENTION`."""
    kv_cache_type: str = "f16"
    """Element type of the KV cache. `OLLAMA_KV_CACHE_TYPE`."""
    go_template: bool | None = None
    """Of a model with a Go and a Jinja template use the Go one; without a word, the one that can do more.
    `OLLAMA_GO_TEMPLATE`."""
    prefix_memory: int = 1 << 30
    """Bytes of host memory for each loaded model, in which computed prompts wait that had to leave its KV cache; at
    most an eighth of the memory that is free at loading. 0 = they are computed again."""
    prefix_disk: int = 0
    """Bytes of files, of all models together, in which computed prompts survive unloading and restarts; 0 = none, and
    those that are there are removed. They lie beside the models in `.camelid/prefixes`, and whoever can read them can
    tell what was asked. At least 1 GiB of the disk stays free."""
    share_prefixes: bool = True
    """What is computed of a prompt's tokens is used again for everybody whose prompt begins alike. If not, then only
    for those who send the same API key: how soon an answer begins tells nobody what others asked. Pictures that were
    encoded, grammars that were compiled, and what a draft model remembers stay shared."""
    speculation: bool = True
    """Guess tokens ahead, where a model repeats what was said, and verify them in one step. Answers stay the same. A
    request's option `draft_num_predict` says how many, 0 for none."""
    backends: tuple[str, ...] = ()
    """Which backend serves which models, each as `MODEL=BACKEND`; `*` in a model's name stands for anything, and the
    first that fits counts. A request's option `backend` says otherwise; a Modelfile's `PARAMETER backend` does not."""
    placement: str = "process"
    """Where workers run: the name of a registered placement. `in-process` runs them as threads of the server, for
    debugging: `breakpoint()` in a backend stops at the terminal where the server was started. While a model loads, that
    is limited by `load_timeout`."""
    spare_worker: bool = True
    """Have a process wait that has imported the runtime of the next model, which then loads half a second sooner. It
    takes about 40 MB."""
    plugins: tuple[str, ...] | None = None
    """Entry-point names to load; None for all that are installed."""
    disabled_plugins: tuple[str, ...] = ()
    """Entry-point names not to load."""
    routes: tuple[str, ...] = ()
    """Entry-point names of plugins whose HTTP routes are served. Whoever may use the server can reach them."""
    reload_plugins: bool = False
    """For whoever develops a plugin: before each request to a model, look whether files of plugins were edited. An
    edited one is loaded anew, and so are its models; if it is broken, requests to them say where, until it is mended.
    Registries, placements, answer formats and routes stay as they were at the start. No spare worker waits."""
    aliases: tuple[str, ...] = ()
    """Names that stand for others, each as `NAME=MODEL`, for example `fast=hf.co/OWNER/REPO:Q4_K_M`. Who runs, shows or
    pulls NAME, or makes a model from it, gets MODEL, under which name it is stored and listed, even if there is a model
    called NAME. Copying, deleting and pushing take names as they are. Settings are logged, so no secret belongs into an
    address here."""
    registries: tuple[str, ...] = ()
    """Registries to ask first, in this order; then those of this machine, then those that ask other machines."""
    registry_mirrors: tuple[str, ...] = ()
    """What is asked instead of a host that names of models say, each as `HOST=http://HOST:PORT` or
    `HOST=https://HOST`; the names stay. `registry.ollama.ai` is the host of names that say none."""
    registry_hosts: tuple[str, ...] | None = None
    """Hosts in names of models, and in addresses of files, that may be asked; None for all. Where a host sends us for a
    file is its own matter, also into the server's own network: allow hosts that are trusted with that."""
    air_gapped: bool = False
    """Ask no other machine for models or pictures, and send none there: only what is on this one can be pulled."""
    transfer_streams: int = 16
    """Ranges of files that are fetched from registries at once, for all pulls together."""
    transfer_bandwidth: int = 0
    """Bytes a second that all pulls and pushes together may take; 0 = no limit."""
    modelfiles: Path | None = None
    """Folder that requests to make a model may read Modelfiles and their files from, below it and nowhere else; None
    for no folder. A request names a file or a folder as `file:///…`, in `from` of `POST /api/create` or as the model in
    `POST /api/pull`, or the Modelfile as `path`, an older form. Files are linked into the store where that can be, else
    copied: replace them by new ones, and let nobody change them in place."""
    image_hosts: tuple[str, ...] = ()
    """Hosts, with or without port, that pictures in requests to `/v1` may be loaded from; from any other they must be
    sent along. Whoever may use the server can make it ask these hosts for anything."""
    reported_version: str = "0.33.0"
    """What `/api/version` says: clients compare it with Ollama's releases (contract 8.2)."""

    @property
    def prefix_folder(self) -> Path:
        """Where workers keep computed prompts, if `prefix_disk` says so; the store cleans it."""
        return self._own_folder / "prefixes"

    @property
    def proofs_folder(self) -> Path:
        """Where `camelid check` keeps what it found."""
        return self._own_folder / "proofs"

    @property
    def _own_folder(self) -> Path:
        """Camelid's, in Ollama's folder of models."""
        return self.models.expanduser().resolve() / ".camelid"


OLLAMA_SETTINGS: Final = frozenset(
    {
        "context_length",
        "debug",
        "editor",
        "flash_attention",
        "go_template",
        "host",
        "keep_alive",
        "kv_cache_type",
        "load_timeout",
        "max_loaded_models",
        "max_queue",
        "models",
        "nohistory",
        "noprune",
        "num_parallel",
        "origins",
    }
)
"""The settings that Ollama has too; its variables are `OLLAMA_` and their names in capitals (contract 18)."""

INHERITED_VARIABLES: Final = (
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "GGML_VK_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "HSA_OVERRIDE_GFX_VERSION",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""Variables that libraries read: those of the GPUs in the workers, which have the server's environment, and the way to
registries in the server, proxies in small letters too (contract 18)."""

_NO_CLOUD: Final = "nothing is forwarded to ollama.com"
_NO_AGENT: Final = "it belongs to Ollama's desktop program"
_BACKEND: Final = "which devices are used is the backend's decision"
_NO_FIT: Final = "for Ollama's engine; Camelid sizes a model before it loads it"

IGNORED_VARIABLES: Final[Mapping[str, str]] = {
    "OLLAMA_MAX_TRANSFER_STREAMS": "there are no downloads of models in many tensors",
    "OLLAMA_DEBUG_LOG_REQUESTS": "requests are never written to files",
    "OLLAMA_GPU_OVERHEAD": _BACKEND,
    "OLLAMA_SCHED_SPREAD": _BACKEND,
    "OLLAMA_IGPU_ENABLE": _BACKEND,
    "OLLAMA_VULKAN": _BACKEND,
    "OLLAMA_LLM_LIBRARY": "backends are chosen by the setting backends, or by a request's option backend",
    "OLLAMA_NO_CLOUD": f"{_NO_CLOUD} in any case",
    "OLLAMA_REMOTES": _NO_CLOUD,
    "OLLAMA_CLOUD_BASE_URL": _NO_CLOUD,
    "OLLAMA_AUTH": "requests are not signed",
    "OLLAMA_API_KEY": f"programs send it to ollama.com themselves; {_NO_CLOUD}",
    "OLLAMA_EXPERIMENT": "there is one client",
    "OLLAMA_LLAMA_CPP_COMPAT": "llama.cpp is used as it is, without patches",
    "LLAMA_ARG_FIT": _NO_FIT,
    "LLAMA_ARG_FIT_TARGET": _NO_FIT,
    "OLLAMA_SKILLS": _NO_AGENT,
    "OLLAMA_AGENT_DISABLE_SHELL": _NO_AGENT,
    "OLLAMA_AGENT_DISABLE_WEBSEARCH": _NO_AGENT,
}
"""Ollama's other variables, and why they change nothing (contract 18)."""
