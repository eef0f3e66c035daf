"""The use cases, knowing no wire format."""
