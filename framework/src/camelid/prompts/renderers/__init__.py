"""Templates of our own, for models whose config names a renderer and whose file has no template (contract 12.7)."""
