"""A recipe met with its models' headers: the plan that the engine carries out."""
