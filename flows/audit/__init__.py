"""Whether a run's outputs follow from its inputs: everything is computed again and compared."""
