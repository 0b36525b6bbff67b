"""What a model is: layers, components, tied weights, matching names."""
