"""Charts of what layers are made of: weights by layer, paths, and the maps of a scan."""
