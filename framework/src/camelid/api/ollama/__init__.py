"""Ollama's endpoints, one file a family."""
