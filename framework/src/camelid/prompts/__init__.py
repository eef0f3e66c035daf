"""From messages to the text a model reads, and back."""
