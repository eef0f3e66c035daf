"""Models of the Hugging Face Hub, for Camelid."""

__all__ = ()
