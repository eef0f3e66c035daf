"""GGUF models on llama.cpp.

`plugin` holds the hooks, `options` what may be set. `backend` is the model: it alone is reached from the hooks, and
with it the modules that speak llama-cpp-python's low-level API: `context` (a context, a batch without copies), `logs`,
`tokenizer`, `decoder`, `sampler`, `embedder`. No other module imports `llama_cpp`. `buffers`, `failures`, `penalties`
and `threads` are plain Python.
"""
