"""Commands that make, examine and fill a project."""
