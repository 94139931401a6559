"""Command line: `python scripts/compare.py --help`."""

from recsys.cli import compare

if __name__ == "__main__":
    compare()
