"""Command line: `python scripts/study.py --help`."""

from recsys.cli import study

if __name__ == "__main__":
    study()
