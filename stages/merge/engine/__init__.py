"""A plan carried out as a stream of tensors: ranges and threads."""
