"""Encoders, on plain ONNX Runtime."""

import logging
from pathlib import PurePosixPath
from types import ModuleType
from typing import Final

from camelid.errors import InvalidModelFileError, MissingDependencyError, ModelError, ModelLoadError
from camelid.types.capabilities import Capability
from camelid.types.facts import ModelFacts
from camelid.types.loading import LoadOptions
from camelid.types.memory import MemoryUse
from camelid_onnx.embedder import OnnxEmbedder, Session
from camelid_onnx.encoder_config import read_encoder_config
from camelid_onnx.failures import load_error, run_error
from camelid_onnx.folder import ModelFolder
from camelid_onnx.model import OnnxModel
from camelid_onnx.native import load_runtime
from camelid_onnx.options import OnnxOptions
from camelid_onnx.pooling import POOLINGS, read_pooling
from camelid_onnx.providers import CPU, KNOWN, canonical, in_order
from camelid_onnx.tokenizer import FolderTokenizer

__all__ = ("EncoderModel", "encoder_file")

_log = logging.getLogger("camelid_onnx")
_NAMES: Final = ("model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx")
_INPUTS: Final = frozenset({"input_ids", "attention_mask", "token_type_ids"})


def encoder_file(folder: ModelFolder) -> str:
    """The name of the ONNX file to load; empty if there is none."""
    return next((name for name in (*_NAMES, *folder.named(".onnx")) if name in folder), "")


class EncoderModel(OnnxModel):
    """Owns an `InferenceSession`."""

    def __init__(self, folder: ModelFolder, options: LoadOptions, extra: OnnxOptions) -> None:
        """Load on the first provider that takes the model, and compute one input.

        Raises:
            CamelidError: see `camelid_onnx.backend.load_model`.
        """
        self._runtime: ModuleType = load_runtime()
        self._folder, self._options, self._extra = folder, options, extra
        self._file = encoder_file(folder)
        self._weights = folder.weights(self._file)
        self._config = read_encoder_config(folder)
        super().__init__(FolderTokenizer(folder.file(self._tokenizer_name()), 0, ()))
        pooling = read_pooling(folder) or extra.pooling or "mean"
        if pooling not in POOLINGS:
            raise ModelLoadError(f"there is no pooling {pooling!r}; there are {', '.join(POOLINGS)}")
        self._pooling = pooling
        self._max_tokens = max(1, min(options.context_length, self._config.max_tokens))
        self._provider, self._session = self._load()
        self._size = folder.size(self._weights)
        self._dimensions = self.embedder().dimensions

    @property
    def facts(self) -> ModelFacts:
        """What the folder says."""
        specials = self._tokenizer.encode("", add_special=True, parse_special=False)
        return ModelFacts(
            architecture=self._config.model_type,
            vocabulary_size=self._tokenizer.vocabulary_size,
            trained_context=self._config.max_tokens,
            context_length=self._max_tokens,
            embedding_length=self._dimensions,
            layers=self._config.num_hidden_layers,
            offloaded_layers=0 if self._provider == CPU else self._config.num_hidden_layers,
            bos_token=self._tokenizer.text(specials[0]) if specials else "",
            eos_token=self._tokenizer.text(specials[-1]) if specials else "",
            capabilities=frozenset({Capability.EMBEDDING, Capability.TOKENIZE}),
            runtime=f"onnxruntime {self._runtime.__version__} on {_label(self._provider)}",
        )

    def memory(self) -> tuple[MemoryUse, ...]:
        """The files' sizes."""
        return (MemoryUse(device=CPU if self._provider == CPU else f"{self._provider}:0", model=self._size),)

    def embedder(self) -> OnnxEmbedder:
        """An embedder on the model's session.

        Raises:
            ModelError: the model computes nothing that can be pooled.
        """

        def failure(error: Exception) -> ModelError:
            return run_error(self._folder.model, _label(self._provider), error)

        return OnnxEmbedder(self._session, POOLINGS[self._pooling], self._max_tokens, failure)

    def close(self) -> None:
        """Drop the session; its memory goes with it."""
        del self._session

    def _tokenizer_name(self) -> str:
        """The tokenizer stands beside the model's file, or at the top of the folder."""
        beside = (PurePosixPath(self._file).parent / "tokenizer.json").as_posix()
        return beside if beside in self._folder else "tokenizer.json"

    def _load(self) -> tuple[str, Session]:
        available = self._runtime.get_available_providers()
        present = [each.name for each in KNOWN if each.runtime in available]
        wanted = canonical(self._extra.provider)
        known = {each.name: each for each in KNOWN}
        if wanted not in ("", "auto", *present) and wanted not in available:
            package = known[wanted].package if wanted in known else "a package of onnxruntime that has it"
            raise MissingDependencyError(
                f"the installed onnxruntime cannot compute on {_label(wanted)}; install it with: "
                f"python -m pip install '{package}'",
                reason=f"it has {', '.join(available)}",
                plugin="camelid-onnx",
            )
        order = in_order(wanted, (), present, gpu=self._options.gpu_layers != 0)
        settings = self._runtime.SessionOptions()
        settings.log_severity_level = 3
        settings.intra_op_num_threads = self._options.threads
        settings.add_session_config_entry("session.intra_op.allow_spinning", "1" if self._extra.spin else "0")
        for name in order:
            provider = known[name].runtime if name in known else name
            try:
                path = str(self._folder.file(self._file))
                session = self._runtime.InferenceSession(path, settings, providers=[provider])
                self._check_inputs(session)
            except ModelError:
                raise
            except Exception as error:
                failure = load_error(self._folder.model, self._file, _label(name), error, self._folder.path)
                if name == order[-1]:
                    raise failure from error
                _log.warning("%s", failure.message)
            else:
                return name, session
        raise ModelLoadError(f"there is no provider for model {self._folder.model!r}")

    def _check_inputs(self, session: Session) -> None:
        inputs = {each.name for each in session.get_inputs()}
        if "input_ids" not in inputs or inputs - _INPUTS:
            raise InvalidModelFileError(
                f"{self._file} of model {self._folder.model!r} is no text encoder: it wants {', '.join(sorted(inputs))}"
            )


def _label(provider: str) -> str:
    return next((each.label for each in KNOWN if each.name == provider), provider)
