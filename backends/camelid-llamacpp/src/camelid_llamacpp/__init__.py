"""GGUF models on llama.cpp.

`plugin` holds the hooks, `options` what may be set. `backend` is the model: it alone is reached from the hooks, and
with it `weights`, which loads files, with the help of `combined` those that Ollama writes in its own way, and the
modules that speak llama-cpp-python's low-level API: `context` (a context, a batch without copies), `logs`,
`tokenizer`, `decoder`, `sampler`, `candidates`, `embedder`, `adapters`. Models that see and hear need libmtmd as well:
`projector` holds its context, `parts` a prompt in it, `media` is what the framework gets of that, and `sight` takes it
into the KV cache. `quantize` is the converter, reached from the hooks too. All of them get `llama_cpp` from `native`.
`buffers`, `encodings`, `failures`, `file_types`, `penalties`, `pictures`, `positions`, `sounds` and `threads` are
plain Python.
"""
