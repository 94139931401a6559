"""Command line: `python scripts/runs.py --help`."""

from recsys.cli import runs

if __name__ == "__main__":
    runs()
