"""The same as `recsys evaluate`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
