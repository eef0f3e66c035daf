"""The `details` object of lists and pages (contract 7.1)."""

import msgspec

from camelid.services.details import ModelDetails

__all__ = ("DetailsReply", "details_reply")


class DetailsReply(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What a model is made of."""

    parent_model: str
    format: str
    family: str
    families: tuple[str, ...] | None
    parameter_size: str
    quantization_level: str
    context_length: int = 0
    embedding_length: int = 0


def details_reply(details: ModelDetails, *, lengths: bool) -> DetailsReply:
    """The object for the wire; only the list of models shows the two lengths."""
    return DetailsReply(
        parent_model=details.parent_model,
        format=details.format,
        family=details.family,
        families=details.families or None,
        parameter_size=details.parameter_size,
        quantization_level=details.quantization_level,
        context_length=details.context_length if lengths else 0,
        embedding_length=details.embedding_length if lengths else 0,
    )
