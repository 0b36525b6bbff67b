"""The bundled family of small models: their words, skills, training and tasks."""
