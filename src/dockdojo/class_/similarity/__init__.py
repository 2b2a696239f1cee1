"""What submissions share, beyond what all were given and what most write: pairs to look at, never verdicts."""
