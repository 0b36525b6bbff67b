"""The content-addressed candidate store in DVC's cache."""
