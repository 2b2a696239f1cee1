"""What a grader's file is run with: the `check` decorator, the fixtures, and feedback from plain asserts."""
