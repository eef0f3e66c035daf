"""The roles a plugin implements: small abstract classes; hooks choose and construct, these do the work.

One module a role: `model`, `tokenizer`, `generation` (with `batch`, `sampler` and the third tier, `engine`),
`embedder`, `ranker`, `registry`; and `placement`. Plugin authors import all of these names from `camelid` itself.
Nothing is imported here, so that the server can know the contract of a registry without loading NumPy for the contract
of a decoder.
"""
