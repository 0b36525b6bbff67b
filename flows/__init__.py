"""The only code that wires stages together: pipeline, execution, command line, Prefect."""
