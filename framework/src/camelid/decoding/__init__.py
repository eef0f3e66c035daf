"""Decoding, in the worker: scheduling, sampling, stop strings, UTF-8."""
