"""Embeddings."""

import numpy as np
import numpy.typing as npt

from camelid.testing.host import Host
from camelid.testing.outcomes import check, needs
from camelid.types.capabilities import Capability

__all__ = ("EmbeddingCases",)

_TEXTS = ("The cat sat on the mat.", "A cat was sitting on a mat.", "Interest rates rose by 3%!")


class EmbeddingCases:
    """Embed."""

    @needs(Capability.EMBEDDING)
    def test_vectors_have_the_promised_shape(self, host: Host) -> None:
        """Proves shape and finiteness. If it fails, look at `Embedder.embed` and `dimensions`."""
        vectors = _embed(host, _TEXTS)
        expected = (len(_TEXTS), host.facts.embedding_length)
        check(vectors.shape == expected, f"vectors of the shape {expected}", vectors.shape)
        check(bool(np.isfinite(vectors).all()), "finite numbers", vectors)

    @needs(Capability.EMBEDDING)
    def test_a_batch_equals_its_parts(self, host: Host) -> None:
        """Proves that inputs of one batch do not mix. If it fails, look at sequence ids and pooling."""
        together = _embed(host, _TEXTS)
        alone = np.concatenate([_embed(host, (text,)) for text in _TEXTS])
        cosines = (together * alone).sum(1) / np.linalg.norm(together, axis=1) / np.linalg.norm(alone, axis=1)
        check(cosines.min() > 0.995, "each vector as without the others: cosines above 0.995", cosines)

    @needs(Capability.EMBEDDING)
    def test_order_is_kept(self, host: Host) -> None:
        """Proves that vectors come back in the order of the inputs. If it fails, look at how rows are collected."""
        forward, backward = _embed(host, _TEXTS), _embed(host, _TEXTS[::-1])
        same = np.allclose(forward, backward[::-1], rtol=0.05, atol=0.05 * np.abs(forward).max())
        check(same, "the vectors of the reversed inputs reversed", np.abs(forward - backward[::-1]).max(axis=1))


def _embed(host: Host, texts: tuple[str, ...]) -> npt.NDArray[np.float32]:
    embedded = host.run(host.client.embed(texts, truncate=True))
    return np.frombuffer(embedded.vectors, "<f4").reshape(-1, embedded.dimensions)
