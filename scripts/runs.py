"""The same as `recsys runs`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["runs", *sys.argv[1:]])
