"""A submission: its folder, as graders may look at it, and its texts."""
