"""Malformed inputs of every kind, drawn from seeds: each is refused in words."""
