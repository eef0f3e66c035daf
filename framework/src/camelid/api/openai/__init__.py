"""OpenAI's endpoints, below `/v1` (contract 9)."""
