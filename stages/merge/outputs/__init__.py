"""Where a stream of merged tensors goes: a folder, a resident model, a hash."""
