"""Whether a fine-tune can be merged with the base."""
