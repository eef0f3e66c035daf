"""A LoRA adapter in PEFT's layout as GGUF."""

import math
from pathlib import Path

import numpy as np

from camelid.contracts.converter import ReportProgress
from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid.types.conversion import ConversionTask
from camelid_gguf.architectures import Architecture, Metadata, Rule, family_named
from camelid_gguf.documents import Document
from camelid_gguf.folder import SourceFolder
from camelid_gguf.header import Header, read_gguf
from camelid_gguf.numbers import FLOATS
from camelid_gguf.safetensors import StoredTensor, read_header
from camelid_gguf.weights import Weight
from camelid_gguf.writing import FILE_TYPES, OutputTensor, rotary_rows, write_file

__all__ = ("convert_adapter",)

WRAPPED = "base_model.model."
EMBEDDING = "token_embd.weight"
PARTS = {"lora_A": "a", "lora_B": "b", "lora_embedding_A": "a", "lora_embedding_B": "b"}


def convert_adapter(task: ConversionTask, report: ReportProgress) -> None:
    """Write `task.target`.

    Raises:
        UnsupportedCapabilityError: the base or the adapter is of a kind that is not known.
        InvalidModelFileError: the source is damaged, or does not fit the base.
    """
    if not task.base:
        raise UnsupportedCapabilityError("a safetensors adapter can be converted only together with its base model")
    folder = SourceFolder(task.folder)
    config = folder.document("adapter_config.json")
    _check(config)
    element = task.quantization or "F16"
    if element not in FILE_TYPES:
        raise UnsupportedCapabilityError(
            f'unsupported quantization "{element}"', reason=f"known: {', '.join(FILE_TYPES)}"
        )
    header = read_gguf(Path(task.base))
    model = _base(header)
    rules = {rule.source: rule for rule in model.rules() if isinstance(rule.source, str)}
    pairs = _pairs(model, read_header(folder.path("adapter_model.safetensors")))
    alpha = config.number("lora_alpha", 8.0)
    tensors = []
    for module, (first, second) in pairs.items():
        if module not in rules:
            raise InvalidModelFileError(f"{module} is no tensor of the base model, which is a {model.gguf}")
        scale = _scale(config, module, first.shape[0], alpha)
        tensors += _outputs(rules[module], first, second, scale, element)

    out = Metadata(model.gguf)
    out.put("general.type", "adapter")
    out.put("general.file_type", FILE_TYPES[element])
    out.put("general.quantization_version", 2)
    out.put("adapter.type", "lora")
    out.put("adapter.lora.alpha", alpha)
    write_file(Path(task.target), model.gguf, list(out.values.items()), tensors, report)


def _check(config: Document) -> None:
    """Refuse what llama.cpp cannot apply."""
    kind = config.text("peft_type", "LORA")
    if kind != "LORA":
        raise UnsupportedCapabilityError(f"adapters of the kind {kind[:40]} cannot be converted; only LoRA can")
    for key in ("use_dora", "fan_in_fan_out", "lora_bias"):
        if config.flag(key, default=False):
            raise UnsupportedCapabilityError(f"adapters with {key} cannot be converted")
    if config.text("bias", "none") != "none" or config.items("modules_to_save"):
        raise UnsupportedCapabilityError("adapters that train more than LoRA matrices cannot be converted")


def _base(header: Header) -> Architecture:
    """The base model's family, of the facts in its header."""
    name = header.text("general.architecture")
    family = family_named(name)
    sides = next((tensor.sides for tensor in header.tensors if tensor.name == EMBEDDING), (0, 0))
    heads = header.count(f"{name}.attention.head_count")
    width = header.count(f"{name}.embedding_length")
    facts = {
        "hidden_size": width,
        "num_hidden_layers": header.count(f"{name}.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": header.count(f"{name}.attention.head_count_kv", heads),
        "head_dim": header.count(f"{name}.attention.key_length", width // max(1, heads)),
        "intermediate_size": header.count(f"{name}.feed_forward_length"),
        "vocab_size": sides[-1],
        "num_experts": header.count(f"{name}.expert_count", 0) or None,
        "num_local_experts": header.count(f"{name}.expert_count", 0) or None,
        "moe_intermediate_size": header.count(f"{name}.expert_feed_forward_length", 0) or None,
        "shared_expert_intermediate_size": header.count(f"{name}.expert_shared_feed_forward_length", 0) or None,
        "max_position_embeddings": header.count(f"{name}.context_length"),
        "use_bidirectional_attention": True,
    }
    return family(Document(header.path.name, facts))


def _pairs(model: Architecture, stored: list[StoredTensor]) -> dict[str, tuple[Weight, Weight]]:
    """The matrices A and B by the name of the tensor that they change."""
    found: dict[str, dict[str, Weight]] = {}
    for tensor in stored:
        module, _, part = tensor.name.removeprefix(WRAPPED).removesuffix(".weight").rpartition(".")
        if part not in PARTS or len(tensor.shape) != 2 or tensor.dtype not in FLOATS or tensor.dtype.startswith("F8"):
            raise InvalidModelFileError(f"{tensor.name} is no LoRA matrix")
        found.setdefault(model.rename(f"{module}.weight"), {})[PARTS[part]] = Weight(tensor)
    for module, parts in found.items():
        if set(parts) != {"a", "b"}:
            raise InvalidModelFileError(f"one of the two LoRA matrices of {module} is missing")
    if not found:
        raise InvalidModelFileError("the adapter has no tensors")
    return {module: (parts["a"], parts["b"]) for module, parts in found.items()}


def _scale(config: Document, module: str, rank: int, alpha: float) -> float:
    """What B is multiplied by, because llama.cpp weighs each pair by the one alpha through the pair's rank."""
    name = module.removesuffix(".weight")
    own = alpha
    patterns = config.section("alpha_pattern")
    for pattern in patterns.values:
        if not pattern.replace(".", "").replace("_", "").isalnum():
            raise UnsupportedCapabilityError(f'adapters with the alpha_pattern "{pattern}" cannot be converted')
        if name == pattern or name.endswith(f".{pattern}"):
            own = patterns.number(pattern)
    wanted = own / math.sqrt(rank) if config.flag("use_rslora", default=False) else own / rank
    if not alpha:
        raise InvalidModelFileError("adapter_config.json: lora_alpha must not be 0")
    return wanted * rank / alpha


def _outputs(rule: Rule, first: Weight, second: Weight, scale: float, element: str) -> list[OutputTensor]:
    """A and B as llama.cpp's loader wants them."""
    rank = first.shape[0]
    embedding = rule.target == EMBEDDING
    rows, columns = rule.shape[::-1] if embedding else (*rule.shape, 0)[:2]
    if not rank or first.shape != (rank, columns) or second.shape != (rows, rank):
        raise InvalidModelFileError(
            f"LoRA matrices of {list(second.shape)} and {list(first.shape)} do not fit the base model's "
            f"{rule.target}, which is {list(rule.shape)}"
        )
    if embedding:
        # llama.cpp looks a token up in A.
        first = Weight.of(rule.target, np.ascontiguousarray(first.all().T))
    kind = element if element != "Q8_0" else "F16"
    order = rotary_rows(rows, rule.heads) if rule.heads else None
    return [
        OutputTensor(f"{rule.target}.lora_a", first.shape, "F32" if embedding else kind, (first,)),
        OutputTensor(f"{rule.target}.lora_b", second.shape, kind, (second,), rows=order, scale=scale),
    ]
