"""The server's side of the workers: where they run, talking to one, and the pool that loads and evicts them.

`pool.Pool.lease` is the way in. Everything here runs on the event loop and holds no inference library.
"""
