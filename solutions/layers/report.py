"""Prints a table of the measurements in data/: for each room, how many there are, and the coldest, mean and warmest."""

import csv
import os
from pathlib import Path

from tabulate import tabulate

DATA = Path(__file__).parent / "data"


def summary(path):
    with path.open() as file:
        values = [float(row["celsius"]) for row in csv.DictReader(file)]
    return [path.stem, len(values), min(values), round(sum(values) / len(values), 3), max(values)]


def main():
    rows = [summary(path) for path in sorted(DATA.glob("*.csv"))]
    print(tabulate(rows, headers=["room", "values", "coldest", "mean", "warmest"]))
    print(f"made by user {os.getuid()}")


if __name__ == "__main__":
    main()
