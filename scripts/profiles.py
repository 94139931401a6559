"""The same as `recsys profiles`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["profiles", *sys.argv[1:]])
