"""What `camelid compare` makes of the server's lines: a table while they come, a file, and a page."""
