"""A class: many submissions of one lab, from what a service exports to the gradebook."""
