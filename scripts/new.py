"""The same as `recsys new`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["new", *sys.argv[1:]])
