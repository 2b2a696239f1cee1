"""Training scripts put to the test: what graders of labs that train know, above the general vocabulary in `checks`."""
