"""The child process that holds one loaded model."""
