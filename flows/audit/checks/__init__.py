"""What an audit checks: one check a file, each gives a verdict on a recorded run."""
