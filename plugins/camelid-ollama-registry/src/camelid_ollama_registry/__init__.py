"""Registries that speak Ollama's protocol, for Camelid."""

__all__ = ()
