"""Topics, checks and planted models of the final project."""
