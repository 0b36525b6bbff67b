"""Building blocks of the merge methods: thresholds, sums, spheres, singular values."""
