"""Fetch, check and hash the base model and its fine-tunes."""
