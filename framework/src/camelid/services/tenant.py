"""Whose request is being served."""

from contextvars import ContextVar
from typing import Final

__all__ = ("TENANT",)

TENANT: Final[ContextVar[str]] = ContextVar("camelid_tenant", default="")
"""Names nobody, but is equal for two requests only if these may share what is computed of their prompts; empty where
everybody shares. A variable of the task, since every use case is served for somebody, and none of them does anything
else with it than hand it on.
"""
