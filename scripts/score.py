"""The same as `recsys score`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["score", *sys.argv[1:]])
