"""What a search may vary: `select.space`, and the encodings of paths in it."""
