"""Reading allocations from llama.cpp's log."""

import pytest

from camelid.types import MemoryUse
from camelid_llamacpp.buffers import Buffer, memory_by_device, parse_buffer


@pytest.mark.parametrize(
    ("line", "buffer"),
    [
        ("load_tensors:   CPU_Mapped model buffer size =    92.10 MiB", Buffer("cpu", "model", 96_573_850)),
        ("load_tensors:        CUDA0 model buffer size =     1.00 MiB", Buffer("cuda:0", "model", 1_048_576)),
        ("llama_kv_cache:        CPU KV buffer size =    90.00 MiB", Buffer("cpu", "cache", 94_371_840)),
        ("llama_memory_recurrent:      CUDA1 RS buffer size =     2.00 MiB", Buffer("cuda:1", "cache", 2_097_152)),
        ("llama_context:        CPU  output buffer size =     0.50 MiB", Buffer("cpu", "compute", 524_288)),
        ("sched_reserve:  CUDA_Host compute buffer size =     3.00 MiB", Buffer("cpu", "compute", 3_145_728)),
        ("sched_reserve:      Metal compute buffer size =     3.00 MiB", Buffer("metal", "compute", 3_145_728)),
        ("sched_reserve: reserve took 12.35 ms, sched copies = 1", None),
    ],
)
def test_a_line_is_an_allocation_or_not(line, buffer):
    assert parse_buffer(line) == buffer


def test_allocations_are_summed_by_device():
    buffers = [Buffer("cuda:0", "model", 5), Buffer("cpu", "cache", 2), Buffer("cuda:0", "model", 6)]
    assert memory_by_device(buffers) == (MemoryUse("cpu", cache=2), MemoryUse("cuda:0", model=11))
