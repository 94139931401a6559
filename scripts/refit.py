"""The same as `recsys refit`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["refit", *sys.argv[1:]])
