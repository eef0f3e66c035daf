"""The server's side of the workers: processes, clients, the pool, placements."""
