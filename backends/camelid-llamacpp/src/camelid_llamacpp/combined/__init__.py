"""GGUF files in which a language model and its projector lie together, as the models of ollama.com do that see.

llama.cpp wants the two as files of their own, and its own names in them. So `gguf_file` reads such a file, a `draft`
for each part says what is left out and what is called differently, as `families` knows, and `assembly` is the file
that comes of it: a header, and pieces of the file as it is. Nothing of the language model is written to the disk:
`stream` hands llama.cpp a file that is put together while it is read. `taking_apart` is what the backend asks.
"""
