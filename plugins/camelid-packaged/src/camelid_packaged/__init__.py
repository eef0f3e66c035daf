"""Models that ship inside installed Python packages."""
