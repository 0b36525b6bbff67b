"""Commands about single models: ``materialize`` and ``push-to-hub``."""
