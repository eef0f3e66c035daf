"""Finding, checking and calling plugins: the host, the catalog of what they registered, and the report about them."""
