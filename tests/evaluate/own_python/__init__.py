"""The evaluate room on tasks that bring their own Python."""
