"""Models that generate, on ONNX Runtime GenAI."""

import json
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from camelid import BatchDecoder, BatchLimits, Engine
from camelid.errors import MissingDependencyError, ModelError, ModelLoadError
from camelid.types.capabilities import Capability
from camelid.types.facts import ModelFacts
from camelid.types.json import JsonObject
from camelid.types.loading import LoadOptions
from camelid.types.memory import MemoryUse
from camelid.types.options import SamplingOptions
from camelid_onnx.decoder import GenaiDecoder, NativeGenerator
from camelid_onnx.engine import GenaiEngine
from camelid_onnx.engine_shapes import new_engine
from camelid_onnx.failures import load_error, run_error, says
from camelid_onnx.folder import ModelFolder
from camelid_onnx.genai_config import read_genai_config
from camelid_onnx.model import OnnxModel
from camelid_onnx.native import load_genai
from camelid_onnx.options import OnnxOptions
from camelid_onnx.providers import CPU, KNOWN, PLUGIN_LIBRARIES, canonical, in_order, plugin_libraries
from camelid_onnx.tokenizer import FolderTokenizer

__all__ = ("GenaiModel",)

_log = logging.getLogger("camelid_onnx")
_TOKENIZER: Final = "tokenizer.json"
_CAPABILITIES: Final = frozenset({Capability.COMPLETION, Capability.TOKENIZE, Capability.LOGPROBS, Capability.BATCHING})


class GenaiModel(OnnxModel):
    """Owns an `onnxruntime_genai.Model`."""

    def __init__(self, folder: ModelFolder, options: LoadOptions, extra: OnnxOptions) -> None:
        """Load on the first provider that takes the model.

        Raises:
            CamelidError: see `camelid_onnx.backend.load_model`.
        """
        self._genai: ModuleType = load_genai()
        self._folder, self._options, self._extra = folder, options, extra
        self._config = read_genai_config(folder)
        model = self._config.model
        self._file = model.decoder.filename or "model.onnx"
        self._weights = folder.weights(self._file).union(*map(folder.weights, folder.named(".onnx")))
        super().__init__(FolderTokenizer(folder.file(_TOKENIZER), model.vocab_size, self._config.end_tokens))
        self._context = min(options.context_length, model.context_length)
        _register_plugins(self._genai)
        self._provider, self._model = self._load()
        # Warmed up, so that a model which cannot be computed is a failure to load, and `memory` tells the truth.
        self._size = folder.size(self._weights)

    @property
    def facts(self) -> ModelFacts:
        """What the folder says."""
        model = self._config.model
        ends = sorted(self._config.end_tokens)
        return ModelFacts(
            architecture=model.type,
            vocabulary_size=model.vocab_size,
            trained_context=model.context_length,
            context_length=self._context,
            embedding_length=model.decoder.hidden_size,
            layers=model.decoder.num_hidden_layers,
            offloaded_layers=0 if self._provider == CPU else model.decoder.num_hidden_layers,
            bos_token=self._tokenizer.text(model.bos_token_id),
            eos_token=self._tokenizer.text(ends[0]) if ends else "",
            capabilities=_CAPABILITIES - {Capability.LOGPROBS} if self._config.paged else _CAPABILITIES,
            runtime=f"onnxruntime-genai {self._genai.__version__} on {_label(self._provider)}",
        )

    def memory(self) -> tuple[MemoryUse, ...]:
        """The files' sizes, and the KV caches that all sequences may have."""
        tokens = self._context * self._options.parallel
        device = CPU if self._provider == CPU else f"{self._provider}:{self._options.main_gpu or 0}"
        return (MemoryUse(device=device, model=self._size, cache=self._config.cache_bytes_per_token * tokens),)

    def generator(self) -> BatchDecoder | Engine:
        """A decoder with `parallel` sequences; for a paged model the runtime's engine."""
        options = self._options
        limits = BatchLimits(
            sequences=options.parallel,
            cells=self._context * options.parallel,
            context_length=self._context,
            batch_tokens=min(options.batch_tokens, self._context * options.parallel),
        )

        def failure(error: Exception) -> ModelError:
            return run_error(self._folder.model, _label(self._provider), error)

        if self._config.paged:
            ends = self._config.end_tokens
            return GenaiEngine(lambda: new_engine(self._genai, self._model), self._context, ends, failure)
        return GenaiDecoder(self._generator_of(self._model, self._context), limits, failure)

    def close(self) -> None:
        """Drop the model; its memory goes with it."""
        del self._model

    def _generator_of(self, model: Any, length: int) -> Callable[[], NativeGenerator]:  # noqa: ANN401 - untyped library
        def new() -> NativeGenerator:
            parameters = self._genai.GeneratorParams(model)
            parameters.set_search_options(max_length=length, batch_size=1, num_beams=1, do_sample=False)
            return self._genai.Generator(model, parameters)

        return new

    def _load(self) -> tuple[str, Any]:
        """The provider that took the model, and the model.

        Raises:
            MissingDependencyError: the provider that was asked for is not installed.
            ModelError: none takes it; the error is the last one's.
        """
        present = _present(self._genai)
        wanted = canonical(self._extra.provider)
        known = {provider.name: provider for provider in KNOWN}
        if wanted in known and wanted not in present:
            provider = known[wanted]
            raise MissingDependencyError(
                f"the installed onnxruntime-genai cannot compute on {provider.label}; install it with: "
                f"python -m pip install '{provider.package}'",
                reason=f"version {self._genai.__version__} has {', '.join(map(_label, present))}",
                plugin="camelid-onnx",
            )
        order = in_order(wanted, self._config.providers, present, gpu=self._options.gpu_layers != 0)
        for provider_name in order:
            try:
                return provider_name, self._load_on(provider_name)
            except (RuntimeError, MemoryError, ModelError) as error:
                failure = load_error(self._folder.model, self._file, _label(provider_name), error, self._folder.path)
                if "nknown provider" in str(error) or "not supported in this build" in str(error):
                    failure = ModelLoadError(
                        f"the installed onnxruntime-genai has no provider {provider_name!r}; install one that has, or "
                        f"name a library with it in {PLUGIN_LIBRARIES}",
                        reason=str(error),
                    )
                if provider_name == order[-1]:
                    raise failure from error
                _log.warning("%s", failure.message)
        raise ModelLoadError(f"there is no provider for model {self._folder.model!r}")

    def _load_on(self, provider: str) -> Any:  # noqa: ANN401 - untyped library
        """Load and compute one token.

        Raises:
            RuntimeError: the runtime refuses, or what it computes does not fit the config.
        """
        config = self._genai.Config(str(self._folder.path))
        if provider == CPU or provider not in map(canonical, self._config.providers):
            config.clear_providers()
        if provider != CPU:
            genai_name = next((each.genai for each in KNOWN if each.name == provider), provider)
            config.append_provider(genai_name)
            if self._options.main_gpu is not None:
                config.set_provider_option(genai_name, "device_id", str(self._options.main_gpu))
        config.overlay(json.dumps({"model": {"decoder": {"session_options": self._session_options()}}}))
        model = self._genai.Model(config)
        token = min(self._config.end_tokens, default=0)
        if self._config.paged:
            engine = new_engine(self._genai, model)
            engine.start(0, (token,), SamplingOptions(temperature=0), 1)
            engine.run()
            engine.stop(0)
        else:
            generator = self._generator_of(model, min(self._context, 8))()
            generator.append_tokens([token])
            generator.get_logits()
        return model

    def _session_options(self) -> JsonObject:
        options: JsonObject = {"log_severity_level": 3}
        if self._options.threads > 0:
            options["intra_op_num_threads"] = self._options.threads
        if not self._extra.spin:
            options["session.intra_op.allow_spinning"] = "0"
        return options


def _present(genai: ModuleType) -> list[str]:
    """The providers of `KNOWN` that the installed library was built with, the best first."""
    probes = {"cuda": "is_cuda_available", "directml": "is_dml_available"}
    return [
        provider.name
        for provider in KNOWN
        if provider.name == CPU or getattr(genai, probes[provider.name], lambda: False)()
    ]


def _label(provider: str) -> str:
    return next((each.label for each in KNOWN if each.name == provider), provider)


def _register_plugins(genai: ModuleType) -> None:
    """Register the provider libraries that the machine's owner named; one that cannot be loaded is logged."""
    for name, path in plugin_libraries().items():
        try:
            genai.register_execution_provider_library(name, path)
        except (RuntimeError, AttributeError) as error:
            _log.warning("the provider library %s cannot be registered: %s", name, says(error))
