"""Command line: `python scripts/update_readme.py --help`."""

from recsys.cli import update_readme

if __name__ == "__main__":
    update_readme()
