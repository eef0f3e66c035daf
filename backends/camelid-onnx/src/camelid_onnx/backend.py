"""From a folder to a loaded model."""

import msgspec

from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid.types.artifact import ModelArtifact
from camelid.types.loading import LoadOptions
from camelid_onnx.encoder import EncoderModel, encoder_file
from camelid_onnx.folder import GENAI_CONFIG, ModelFolder
from camelid_onnx.generating import GenaiModel
from camelid_onnx.model import OnnxModel
from camelid_onnx.options import OnnxOptions

__all__ = ("OnnxModel", "load_model")


def load_model(artifact: ModelArtifact, options: LoadOptions) -> OnnxModel:
    """Load a folder with `genai_config.json` to generate, and any other as an encoder.

    Raises:
        InvalidModelFileError: a file is missing, damaged, or leads out of the folder; the sentence names it.
        ModelMemoryError: not enough memory.
        ModelLoadError: the runtime refuses the model, or an option is wrong.
        MissingDependencyError: the library, or the provider that was asked for, is not installed.
    """
    try:
        extra = msgspec.convert(options.backend, OnnxOptions)
    except msgspec.ValidationError as error:
        raise ModelLoadError(f"the ONNX backend cannot use these options: {error}") from error
    folder = ModelFolder(artifact)
    if GENAI_CONFIG in folder:
        return GenaiModel(folder, options, extra)
    if not encoder_file(folder):
        raise InvalidModelFileError(f"model {artifact.name!r} has no {GENAI_CONFIG} and no file that ends with .onnx")
    return EncoderModel(folder, options, extra)
