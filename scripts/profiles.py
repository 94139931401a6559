"""Command line: `python scripts/profiles.py --help`."""

from recsys.cli import profiles

if __name__ == "__main__":
    profiles()
