"""What merge methods are written with: thresholds, sums, spheres, singular values."""
