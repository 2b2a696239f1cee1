"""What the commands of dockdojo do, for students, instructors and authors; the terminal is `cli`'s."""
