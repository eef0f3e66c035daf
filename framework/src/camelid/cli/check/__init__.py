"""What `camelid check` finds and shows."""
