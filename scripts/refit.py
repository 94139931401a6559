"""Command line: `python scripts/refit.py --help`."""

from recsys.cli import refit

if __name__ == "__main__":
    refit()
