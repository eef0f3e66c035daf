"""The tokens with a meaning: beginning, end, padding; and which of them each text gets."""

from camelid_gguf.documents import MOST, Document
from camelid_gguf.folder import SourceFolder
from camelid_gguf.tokenizers.vocabulary import Vocabulary

__all__ = ("put_special_tokens",)

KEYS = {
    "bos": "tokenizer.ggml.bos_token_id",
    "eos": "tokenizer.ggml.eos_token_id",
    "eot": "tokenizer.ggml.eot_token_id",
    "unk": "tokenizer.ggml.unknown_token_id",
    "sep": "tokenizer.ggml.seperator_token_id",  # so GGUF spells it
    "pad": "tokenizer.ggml.padding_token_id",
    "cls": "tokenizer.ggml.cls_token_id",
    "mask": "tokenizer.ggml.mask_token_id",
}
WORDPIECE = "bert"


def put_special_tokens(vocabulary: Vocabulary, folder: SourceFolder, tokenizer: Document) -> None:
    """Put their numbers, and whether texts begin and end with them.

    Raises:
        InvalidModelFileError: a file is malformed.
    """
    settings = folder.optional("tokenizer_config.json")
    numbers = {text: number for number, text in enumerate(vocabulary.tokens)}
    for kind, number in _found(vocabulary, folder, settings, numbers).items():
        vocabulary.settings[KEYS[kind]] = number
    first, last = _template(tokenizer)
    _put_flag(vocabulary, settings, "bos", numbers.get(first), fast=bool(tokenizer.values))
    _put_flag(vocabulary, settings, "eos", numbers.get(last), fast=bool(tokenizer.values))
    if vocabulary.model == WORDPIECE:
        vocabulary.settings["tokenizer.ggml.add_sep_token"] = True


def _found(vocabulary: Vocabulary, folder: SourceFolder, settings: Document, numbers: dict[str, int]) -> dict[str, int]:
    """Numbers by kind: of the tokens that the tokenizer's settings name, or else those that the model's name."""
    kinds = [kind for kind in KEYS if kind != "eot"]
    older = folder.optional("special_tokens_map.json")
    texts = {kind: _text(settings, kind) or _text(older, kind) for kind in kinds}
    if vocabulary.model == WORDPIECE:
        # llama.cpp has one name for what begins a text and what ends it.
        texts["bos"], texts["eos"] = texts["bos"] or texts["cls"], texts["eos"] or texts["sep"]
    found = {kind: numbers[text] for kind, text in texts.items() if text in numbers}
    for file in ("config.json", "generation_config.json"):
        document = folder.optional(file)
        for source in (document, document.section("text_config")):
            for kind in kinds:
                number = _number(source, kind)
                if number is not None and number < len(vocabulary.tokens):
                    found.setdefault(kind, number)
    return found


def _text(document: Document, kind: str) -> str:
    value = document.values.get(f"{kind}_token")
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else ""


def _number(document: Document, kind: str) -> int | None:
    value = document.values.get(f"{kind}_token_id")
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST else None


def _put_flag(vocabulary: Vocabulary, settings: Document, kind: str, mark: int | None, *, fast: bool) -> None:
    """Whether texts begin with `bos` or end with `eos`: what the settings say, or else tokenizer.json's template.

    Args:
        vocabulary: gets the flag.
        settings: tokenizer_config.json.
        kind: `bos` or `eos`.
        mark: number of the token in the template.
        fast: whether there is a tokenizer.json.
    """
    known = vocabulary.settings.get(KEYS[kind])
    if mark is not None and mark != known:
        # What the template adds is what llama.cpp has to add; the end of a turn keeps its meaning.
        if kind == "eos" and known is not None:
            vocabulary.settings[KEYS["eot"]] = known
        vocabulary.settings[KEYS[kind]] = known = mark
    usual = mark is not None if fast else kind == "bos" and vocabulary.model == "llama"
    added = vocabulary.model == WORDPIECE or settings.flag(f"add_{kind}_token", default=usual)
    vocabulary.settings[f"tokenizer.ggml.add_{kind}_token"] = added and known is not None


def _template(tokenizer: Document) -> tuple[str, str]:
    """The tokens around a single text."""
    processor = tokenizer.section("post_processor")
    steps = processor.sections("processors") if processor.text("type") == "Sequence" else [processor]
    for step in steps:
        parts = step.sections("single") if step.text("type") == "TemplateProcessing" else []
        if len(parts) > 1:
            return parts[0].section("SpecialToken").text("id"), parts[-1].section("SpecialToken").text("id")
    return "", ""
