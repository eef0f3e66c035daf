"""The few facts of a GGUF header that lists, checks and configs need: small enough to keep for every model."""

import msgspec

from camelid.store.gguf import GGUFHeader

__all__ = ("HeaderSummary", "summarize")


class HeaderSummary(msgspec.Struct, frozen=True):
    """What a GGUF file says of itself, without its metadata and tensors. The names are those of `GGUFHeader`."""

    architecture: str
    file_type: str
    parameter_count: int
    context_length: int
    embedding_length: int
    cache_bytes_per_token: int
    layers: int
    has_pooling: bool
    ranks: bool
    raw_embeddings: bool
    sees: bool
    """Whether images are encoded by the model itself, without a projector."""
    hears: bool
    """Whether sound is encoded by the model, or by the projector that this is."""
    begin_token: str
    """Text of the begin token, which Jinja templates write; empty without a Jinja template."""
    end_token: str


def summarize(header: GGUFHeader) -> HeaderSummary:
    """The facts of one header.

    Raises:
        InvalidModelFileError: the file has changed since its header was read.
    """
    encodes_sound = any(key.endswith("has_audio_encoder") and value is True for key, value in header.metadata.items())
    needs_tokens = bool(header.chat_template)
    return HeaderSummary(
        architecture=header.architecture,
        file_type=header.file_type,
        parameter_count=header.parameter_count,
        context_length=header.context_length,
        embedding_length=header.embedding_length,
        cache_bytes_per_token=header.cache_bytes_per_token,
        layers=header.fact("block_count") or 0,
        has_pooling=header.has_pooling,
        ranks=header.ranks,
        raw_embeddings=header.raw_embeddings,
        sees=bool(header.fact("vision.block_count")),
        hears=bool(header.fact("audio.block_count"))
        or (encodes_sound and header.text("clip.projector_type") != "gemma3nv"),
        begin_token=header.token("bos_token_id") if needs_tokens else "",
        end_token=header.token("eos_token_id") if needs_tokens else "",
    )
