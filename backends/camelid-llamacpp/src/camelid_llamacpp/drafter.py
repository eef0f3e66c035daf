"""A smaller model that guesses what the larger one will say (speculative decoding)."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from camelid import Batch
from camelid.contracts.batch import TokenRun
from camelid.errors import ModelLoadError
from camelid_llamacpp.buffers import Buffer
from camelid_llamacpp.context import Context, NativeBatch, address_of_logits, float_rows
from camelid_llamacpp.native import llama_cpp

__all__ = ("Drafter",)

_SURE: Final = 0.6
"""Probability below which a token is not guessed: verifying it would more often be wasted."""
_COMPARED_TOKENS: Final = 512
"""Ids whose texts are compared, to tell vocabularies of equal size apart."""
_NO_TOKENS: Final = np.zeros(0, np.int32)


class Drafter:
    """Owns a draft model and its context; remembers what each sequence has in it."""

    def __init__(self, name: str, model: int, main: int, parameters: llama_cpp.llama_context_params) -> None:
        """Take over a loaded model.

        Args:
            name: of the model it belongs to, for errors.
            model: handle; freed by `close`.
            main: handle of the model it guesses for.
            parameters: of its context; the same sequences and cells as the main one's.

        Raises:
            ModelLoadError: it has another vocabulary.
            ModelError: its context could not be allocated.
        """
        self._model = model
        vocabulary: int = llama_cpp.llama_model_get_vocab(model)
        self._vocabulary_size: int = llama_cpp.llama_vocab_n_tokens(vocabulary)
        if not _same_vocabulary(vocabulary, llama_cpp.llama_model_get_vocab(main)):
            self.close()
            raise ModelLoadError(
                f"the draft model of {name!r} has another vocabulary; take a smaller model of the same family"
            )
        try:
            self._context: Context | None = Context(f"{name} (draft)", model, parameters)
        except BaseException:
            self.close()
            raise
        self._held: list[npt.NDArray[np.int32]] = [_NO_TOKENS] * parameters.n_seq_max
        self._batch = Batch(parameters.n_batch)
        self._native = NativeBatch(self._batch)

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """What its context allocated."""
        return self._context.buffers if self._context else ()

    def guess(self, sequence: int, tokens: TokenRun, most: int) -> Sequence[int]:
        """Up to `most` tokens after `tokens`, as long as it is sure; none while it still reads a long prompt."""
        wanted = np.asarray(tokens, np.int32)
        held = self._held[sequence]
        common = _common_prefix(held, wanted[:-1])
        if common < len(held) and not self._trim(sequence, common):
            common = 0
        behind = wanted[common : common + self._batch.capacity]
        if not self._decode(sequence, behind, common):
            return ()
        self._held[sequence] = known = wanted[: common + len(behind)].copy()
        if len(known) < len(wanted):
            return ()
        guessed: list[int] = []
        while (token := self._surest()) is not None:
            guessed.append(token)
            if len(guessed) == most or not self._decode(sequence, np.array([token], np.int32), len(known)):
                break
            self._held[sequence] = known = np.append(known, np.int32(token))
        return guessed

    def _decode(self, sequence: int, tokens: npt.NDArray[np.int32], position: int) -> bool:
        """Compute tokens at the end of a sequence; a full cache loses everything that is held, for it is only help."""
        if self._context is None:
            return False
        self._batch.clear()
        self._batch.add(sequence, tokens, position, output=True)
        if llama_cpp.llama_decode(self._context.handle, self._native.native()) == 0:
            return True
        self._context.forget_all()
        self._held = [_NO_TOKENS] * len(self._held)
        return False

    def _surest(self) -> int | None:
        """The likeliest next token, if it is likely enough."""
        if self._context is None:
            return None
        address = address_of_logits(self._context.handle, -1)
        if address is None:
            return None
        logits = float_rows(address, 1, self._vocabulary_size)[0]
        token = int(logits.argmax())
        share = 1 / float(np.exp(logits - logits[token]).sum())
        return token if share >= _SURE else None

    def _trim(self, sequence: int, length: int) -> bool:
        memory = self._context.memory if self._context else None
        done = bool(llama_cpp.llama_memory_seq_rm(memory, sequence, length, -1))
        if not done:
            llama_cpp.llama_memory_seq_rm(memory, sequence, -1, -1)
        return done

    def close(self) -> None:
        """Free context and model, once."""
        context, self._context = getattr(self, "_context", None), None
        if context is not None:
            context.close()
        if self._model:
            llama_cpp.llama_model_free(self._model)
            self._model = 0


def _same_vocabulary(one: int, other: int) -> bool:
    size = llama_cpp.llama_vocab_n_tokens(one)
    if size != llama_cpp.llama_vocab_n_tokens(other):
        return False
    step = max(1, size // _COMPARED_TOKENS)
    return all(
        llama_cpp.llama_vocab_get_text(one, token) == llama_cpp.llama_vocab_get_text(other, token)
        for token in range(0, size, step)
    )


def _common_prefix(one: npt.NDArray[np.int32], other: npt.NDArray[np.int32]) -> int:
    length = min(len(one), len(other))
    different = np.flatnonzero(one[:length] != other[:length])
    return int(different[0]) if different.size else length
