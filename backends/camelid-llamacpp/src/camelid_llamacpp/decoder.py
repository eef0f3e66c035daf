"""Many sequences over one KV cache of llama.cpp."""

import ctypes
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from camelid import Batch, BatchDecoder, BatchLimits, KVCacheFullError, Media, Sampler
from camelid.contracts.batch import TokenRun
from camelid.errors import ModelError, UnsupportedCapabilityError
from camelid.types.options import SamplingOptions
from camelid_llamacpp.candidates import Candidates
from camelid_llamacpp.context import Context, NativeBatch, address_of_logits, float_rows
from camelid_llamacpp.drafter import Drafter
from camelid_llamacpp.logs import NATIVE_LOG
from camelid_llamacpp.media import LlamaMedia
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.penalties import Penalties
from camelid_llamacpp.positions import Positions
from camelid_llamacpp.sampler import LlamaSampler
from camelid_llamacpp.sight import Sight
from camelid_llamacpp.traits import ModelTraits

__all__ = ("OUTPUT_ROWS", "LlamaDecoder")

OUTPUT_ROWS = 64
"""Output rows that a batch may always have, however few its sequences; each costs a row of logits in memory."""

_NO_ROOM = 1
_LENGTH_BYTES = 4


class LlamaDecoder(BatchDecoder):
    """A context with a unified KV cache: sequences that share a prefix share its cells."""

    def __init__(
        self,
        context: Context,
        traits: ModelTraits,
        limits: BatchLimits,
        sight: Sight | None = None,
        drafter: Drafter | None = None,
    ) -> None:
        """Take over a context.

        Args:
            context: its own; closed with the decoder.
            traits: what the model's memory can do.
            limits: what the context was made for.
            sight: what encodes pictures and sounds, if the model takes any.
            drafter: a smaller model, if one came with this one.

        Raises:
            ModelError: the model cannot compute.
        """
        self._context = context
        self._handle = context.handle
        self._memory = context.memory
        self._traits = traits
        self._limits = limits
        self._sight = sight
        self._drafter = drafter
        self._positions = Positions(limits.sequences)
        self._shifts = traits.shifts and llama_cpp.llama_memory_can_shift(context.memory)
        self._output_rows = max(OUTPUT_ROWS, limits.sequences)
        self._suppressed = traits.suppressed_tokens if traits.suppressed_tokens.size else None
        self._candidates = Candidates(traits.vocabulary_size)
        self._bound: NativeBatch | None = None
        self._rows: dict[int, npt.NDArray[np.float32]] = {}
        self._shared = np.zeros((limits.sequences, limits.sequences), np.int64)
        self._shift_pending = False
        # The first computation reads the weights from disk and sets up threads: better now than in a request.
        self._compute_one_token(sequence=0)
        self.trim(0, 0)

    @property
    def limits(self) -> BatchLimits:
        """What the context was made for."""
        return self._limits

    def decode(self, batch: Batch) -> None:
        """Compute a batch.

        Raises:
            KVCacheFullError: no room; the cache is as it was before.
            ModelError: the batch is not valid, or computing failed; what of it is in the cache is unknown.
        """
        if not 0 < batch.size <= self._limits.batch_tokens:
            raise ModelError(f"a batch of {batch.size} tokens; 1 to {self._limits.batch_tokens} can be computed")
        if batch.size > self._output_rows and np.count_nonzero(batch.outputs[: batch.size]) > self._output_rows:
            raise ModelError(f"a batch with more than {self._output_rows} output rows cannot be computed")
        if self._bound is None or self._bound.source is not batch:
            self._bound = NativeBatch(batch)
        positions = self._positions.of_batch(batch)
        native = self._bound.native() if positions is None else self._bound.moved(positions)
        self._check(llama_cpp.llama_decode(self._handle, native))
        self._shift_pending = False

    def decode_media(self, sequence: int, position: int, media: Media) -> None:
        """Compute a picture, a part of one, or a piece of sound at the end of a sequence.

        Raises:
            KVCacheFullError: no room; the cache is as it was before.
            UnsupportedCapabilityError: the model has no projector.
            ModelError: computing it failed; what of it is in the cache is unknown.
        """
        if self._sight is None or not isinstance(media, LlamaMedia):
            raise UnsupportedCapabilityError("this model cannot take pictures or sound")
        first = self._positions.at(sequence, position)
        try:
            self._check(self._sight.compute(self._handle, media, sequence, first))
        except KVCacheFullError:
            # Some of its batches may have found room.
            last: int = llama_cpp.llama_memory_seq_pos_max(self._memory, sequence)
            if last >= first and not llama_cpp.llama_memory_seq_rm(self._memory, sequence, first, -1):
                raise self._context.failure("decoding a picture", _NO_ROOM) from None
            raise
        self._positions.place(sequence, position, media.length, media.advance)
        self._shift_pending = False

    def _check(self, status: int) -> None:
        """Raise what a computation's status means."""
        if status == _NO_ROOM:
            raise KVCacheFullError(
                "the KV cache is full; use a smaller context, or try again later",
                reason=NATIVE_LOG.take_complaints(),
            )
        if status != 0:
            raise self._context.failure("decoding", status)

    def logits(self, row: int) -> npt.NDArray[np.float32]:
        """The logits of an output row of the last batch, as a view.

        Raises:
            IndexError: the row is no output row.
        """
        address: int | None = address_of_logits(self._handle, row)
        if address is None:
            NATIVE_LOG.take_complaints()
            raise IndexError(f"row {row} of the last batch has no logits")
        view = self._rows.get(address)
        if view is None:
            view = self._rows[address] = float_rows(address, 1, self._traits.vocabulary_size)[0]
        if self._suppressed is not None:
            view[self._suppressed] = -np.inf
        return view

    def trim(self, sequence: int, length: int) -> bool:
        """Keep the first `length` tokens of a sequence, if the model's memory can and no picture would be cut."""
        if length == 0:
            llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        elif (
            not self._complete(sequence)
            or self._positions.cuts(sequence, length)
            or not llama_cpp.llama_memory_seq_rm(self._memory, sequence, self._positions.at(sequence, length), -1)
        ):
            return False
        self._positions.trim(sequence, length)
        self._limit_sharing(sequence, length)
        return True

    def copy_prefix(self, source: int, target: int, length: int) -> bool:
        """Let `target` see the first `length` tokens of `source`: cells get a second owner, nothing is copied."""
        last: int = llama_cpp.llama_memory_seq_pos_max(self._memory, source)
        positions = self._positions
        if not self._traits.shares_prefixes or not self._complete(source):
            return False
        if last < positions.last(source, length) or positions.cuts(source, length):
            return False
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, 0, positions.at(source, length))
        positions.copy(source, target, length)
        self._shared[target] = self._shared[:, target] = np.minimum(self._shared[source], length)
        self._shared[source, target] = self._shared[target, source] = length
        self._shared[target, target] = 0
        return True

    def shift(self, sequence: int, keep: int, discard: int) -> bool:
        """Drop tokens from the middle; False if the moved ones are shared, for a cell has one position only."""
        if not self._shifts or self._shared[sequence].max() > keep + discard or self._positions.holds_media(sequence):
            return False
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, keep, keep + discard)
        llama_cpp.llama_memory_seq_add(self._memory, sequence, keep + discard, -1, -discard)
        self._limit_sharing(sequence, keep)
        self._shift_pending = True
        return True

    def guess(self, sequence: int, tokens: TokenRun, most: int) -> Sequence[int]:
        """What the draft model would say."""
        return self._drafter.guess(sequence, tokens, most) if self._drafter is not None else ()

    def sampler(self, options: SamplingOptions, seed: int, prompt: Sequence[int]) -> Sampler:
        """A sampler that reads the logits where llama.cpp left them."""
        penalties = Penalties(options, self._limits.context_length, prompt)
        return LlamaSampler(self._handle, self.logits, options, seed, penalties=penalties, candidates=self._candidates)

    def save(self, sequence: int) -> bytes:
        """The sequence's cells. The logits of the last batch may be gone afterwards.

        Raises:
            ModelError: llama.cpp could not save it.
        """
        if self._shift_pending:
            # llama.cpp rotates shifted keys with the next batch, and would save them as they are; any batch will do.
            self._compute_one_token(sequence)
        size: int = llama_cpp.llama_state_seq_get_size(self._handle, sequence)
        media = self._positions.save(sequence)
        ending = media + len(media).to_bytes(_LENGTH_BYTES)
        state = np.empty(size + len(ending), np.uint8)
        target = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        if llama_cpp.llama_state_seq_get_data(self._handle, target, size, sequence) != size:
            raise self._context.failure("saving a sequence", 0)
        state[size:] = np.frombuffer(ending, np.uint8)
        return state.tobytes()

    def restore(self, sequence: int, state: bytes) -> None:
        """Fill an empty sequence from what `save` gave.

        Raises:
            KVCacheFullError: no room; the sequence stays empty.
            ModelError: these bytes are no state of this model.
        """
        source = np.frombuffer(state, np.uint8).ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        size = max(0, len(state) - _LENGTH_BYTES - int.from_bytes(state[-_LENGTH_BYTES:]))
        NATIVE_LOG.take_complaints()
        read: int = llama_cpp.llama_state_seq_set_data(self._handle, source, size, sequence)
        if read and read == size and self._positions.load(sequence, state[size:-_LENGTH_BYTES]):
            return
        self.trim(sequence, 0)
        complaints = NATIVE_LOG.take_complaints()
        if "available cells" in complaints:
            raise KVCacheFullError("the KV cache is full; try again later", reason=complaints)
        raise ModelError("a saved sequence could not be restored; it is computed again", reason=complaints)

    def close(self) -> None:
        """Free the context. Samplers are closed before."""
        self._rows.clear()
        self._context.close()

    def _complete(self, sequence: int) -> bool:
        """Whether the sequence still has its first token; a sliding window may have passed it."""
        if not self._traits.window:
            return True
        first: int = llama_cpp.llama_memory_seq_pos_min(self._memory, sequence)
        return first == 0

    def _limit_sharing(self, sequence: int, length: int) -> None:
        """Note that from `length` on, no token of the sequence is another's too."""
        np.minimum(self._shared[sequence], length, out=self._shared[sequence])
        self._shared[:, sequence] = self._shared[sequence]

    def _compute_one_token(self, sequence: int) -> None:
        """Compute a token at the end of a sequence and forget it again; a full cache is no failure."""
        position: int = llama_cpp.llama_memory_seq_pos_max(self._memory, sequence) + 1
        batch = Batch(1)
        batch.add(sequence, [0], position, output=True)
        status: int = llama_cpp.llama_decode(self._handle, NativeBatch(batch).native())
        if status not in (0, _NO_ROOM):
            raise self._context.failure("decoding", status)
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, position, -1)
        self._shift_pending = False
