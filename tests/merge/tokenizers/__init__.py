"""Tokenizers of merged models: rows, files, chat templates and what a child says."""
