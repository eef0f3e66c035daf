"""What Ollama calls differently from llama.cpp, a file for each family of models that see.

The names and defaults are those with which Ollama's own converters write and its compatibility layer reads.
"""
