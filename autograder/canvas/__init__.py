"""Canvas: grades into a gradebook CSV that it imports."""
