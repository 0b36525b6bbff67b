"""What a run left, looked at: rows, their differences, ancestors, status."""
