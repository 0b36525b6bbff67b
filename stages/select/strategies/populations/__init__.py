"""The parts of our own population strategies: selection, crossover, mutation and archives."""
