"""MergeKit's configuration language: read, lowered, stacked, ordered, shown."""
