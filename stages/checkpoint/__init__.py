"""Model folders: safetensors headers, reader, writer, staging."""
