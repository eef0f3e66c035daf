"""Makes the conformance kits' fixtures known to every package's tests; pytest wants this at the root."""

pytest_plugins = ["camelid.testing.plugin", "camelid.testing.registry_plugin"]
