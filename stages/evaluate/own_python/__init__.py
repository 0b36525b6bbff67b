"""The Python of a task's author: contained, repeated, hashed."""
