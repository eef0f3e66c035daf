"""The kit's cases, one file an area. A case's docstring says what it proves and where to look if it fails."""
