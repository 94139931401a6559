"""Command line: `python scripts/prepare_data.py --help`."""

from recsys.cli import prepare_data

if __name__ == "__main__":
    prepare_data()
