"""Finding, loading and describing plugins."""
