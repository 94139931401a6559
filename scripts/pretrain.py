"""Command line: `python scripts/pretrain.py --help`."""

from recsys.cli import pretrain

if __name__ == "__main__":
    pretrain()
