"""The hooks, and what they cost before a model is loaded."""

import subprocess
import sys

import pytest

from camelid import Converter
from camelid.types import LoadOptions, ModelArtifact, ModelFile
from camelid.types.conversion import ConverterDescriptor
from camelid_llamacpp import plugin


def test_importing_and_registering_loads_nothing_heavy():
    code = (
        "import sys; from camelid_llamacpp import plugin\n"
        "for hook in (plugin.camelid_backends, plugin.camelid_converters):\n"
        "    hook(lambda descriptor: print(descriptor.name))\n"
        "print(sorted({'llama_cpp', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split("\n")[:3] == ["llamacpp", "llama-quantize", "[]"]


def test_other_formats_are_left_to_others():
    artifact = ModelArtifact(name="x", format="onnx", files=(ModelFile(path="/nowhere"),))
    assert plugin.camelid_load_model(artifact, LoadOptions()) is None


@pytest.mark.parametrize("hook", [plugin.camelid_tokenizer, plugin.camelid_generator, plugin.camelid_embedder])
def test_other_models_are_left_to_others(hook):
    assert hook(object()) is None


def test_hooks_build_on_the_loaded_model(model):
    assert plugin.camelid_tokenizer(model).vocabulary_size == model.facts.vocabulary_size
    for hook in (plugin.camelid_generator, plugin.camelid_embedder):
        built = hook(model)
        assert built is not None
        built.close()


def test_the_quantizer_is_found_by_its_name():
    descriptors: list[ConverterDescriptor] = []
    plugin.camelid_converters(descriptors.append)
    (descriptor,) = descriptors
    assert (descriptor.source, descriptor.target) == ("gguf", "gguf")
    assert {"F32", "F16", "BF16", "Q8_0", "Q4_K_S", "Q4_K_M"} <= set(descriptor.quantizations)
    assert isinstance(plugin.camelid_converter(descriptor.name), Converter)
    assert plugin.camelid_converter("safetensors-to-gguf") is None


def test_a_missing_library_is_named_with_the_command_to_get_it():
    code = (
        "import sys; sys.modules['llama_cpp'] = None\n"
        "from camelid.errors import MissingDependencyError\n"
        "from camelid.types import LoadOptions, ModelArtifact, ModelFile\n"
        "from camelid_llamacpp import plugin\n"
        "try: plugin.camelid_load_model(ModelArtifact('x', 'gguf', (ModelFile('/x'),)), LoadOptions())\n"
        "except MissingDependencyError as error: print(error.plugin, '|', error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    name, _, message = done.stdout.partition(" | ")
    assert name == "camelid-llamacpp"
    assert "pip install" in message
