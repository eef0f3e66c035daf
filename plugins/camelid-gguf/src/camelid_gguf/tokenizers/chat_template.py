"""The chat template, from the three places where it may be."""

from camelid_gguf.documents import Document
from camelid_gguf.folder import SourceFolder
from camelid_gguf.tokenizers.vocabulary import Vocabulary

__all__ = ("put_chat_template",)


def put_chat_template(vocabulary: Vocabulary, folder: SourceFolder) -> None:
    """Put the model's template, and those for other purposes under their names.

    Raises:
        InvalidModelFileError: a file is malformed.
    """
    templates = _templates(folder)
    default = templates.pop("default", "")
    if default:
        vocabulary.settings["tokenizer.chat_template"] = default
    # Only names that can stand in a key.
    others = {name: text for name, text in templates.items() if text and name.replace("_", "").isalnum()}
    if others:
        vocabulary.settings["tokenizer.chat_templates"] = list(others)
    for name, text in others.items():
        vocabulary.settings[f"tokenizer.chat_template.{name}"] = text


def _templates(folder: SourceFolder) -> dict[str, str]:
    if folder.has("chat_template.jinja"):
        return {"default": folder.text("chat_template.jinja")}
    for name in ("chat_template.json", "tokenizer_config.json"):
        document = folder.optional(name)
        if "chat_template" in document:
            return _named(document)
    return {}


def _named(document: Document) -> dict[str, str]:
    if isinstance(document.values["chat_template"], list):
        return {entry.text("name"): entry.text("template") for entry in document.sections("chat_template")}
    return {"default": document.text("chat_template")}
