"""Models on this disk, in Ollama's layout."""
