"""Command line: `python scripts/recommend.py --help`."""

from recsys.cli import recommend

if __name__ == "__main__":
    recommend()
