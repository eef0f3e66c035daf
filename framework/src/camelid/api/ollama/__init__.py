"""Ollama's endpoints, one module for each family (contract 1.1)."""
