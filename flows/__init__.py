"""The only code that wires stages together: pipeline, execution, command line, Prefect."""

from flows.user_name import name_user

name_user()  # before a library asks for it
