"""Prints the sum of the numbers in NUMBERS; without them, that of 1 to 1,000,000."""

import os

import fastsum

numbers = [int(word) for word in os.environ.get("NUMBERS", "").split()]
print(fastsum.total(numbers or range(1, 1_000_001)))
