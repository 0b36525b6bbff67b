"""What config.json says of a model: as transformers reads it, and where the tensors decide."""
