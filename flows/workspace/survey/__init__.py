"""What is known of a run before it: its models, its questions, its size."""
