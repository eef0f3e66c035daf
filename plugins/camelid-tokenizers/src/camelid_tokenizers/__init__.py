"""Text to tokens for backends that leave it to others."""

__all__: tuple[str, ...] = ()
