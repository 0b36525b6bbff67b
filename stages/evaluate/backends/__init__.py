"""Where answers come from: a resident model, another engine, or a server."""
