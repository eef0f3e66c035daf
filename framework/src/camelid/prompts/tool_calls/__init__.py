"""Tool calls in what models write: one file for each family of formats; `choose` knows them all."""
