"""A project of one's own: made, examined, and filled from other tools' files."""
