"""Measuring servers side by side: what `camelid bench` does. Knows nothing of Camelid but its HTTP API."""
