"""A transformer in NumPy: `transformer` is its arithmetic, `weights` its file, `backend` what Camelid runs."""
