"""Where models come from: the hub, a folder, the zoo."""
