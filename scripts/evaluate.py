"""Command line: `python scripts/evaluate.py --help`."""

from recsys.cli import evaluate

if __name__ == "__main__":
    evaluate()
