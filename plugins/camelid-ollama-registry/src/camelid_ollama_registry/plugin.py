"""The plugin's hooks. Importing this loads nothing heavy."""

__all__ = ("CAMELID_API",)

CAMELID_API = 1
