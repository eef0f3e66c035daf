"""The smallest complete Camelid backend."""
