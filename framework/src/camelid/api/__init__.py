"""HTTP: the only package that imports Litestar."""
