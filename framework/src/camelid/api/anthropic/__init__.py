"""Anthropic's endpoints (contract 10): one file turns requests into the services', one answers into Anthropic's."""
