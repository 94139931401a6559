"""Command line: `python scripts/train.py --help`."""

from recsys.cli import train

if __name__ == "__main__":
    train()
