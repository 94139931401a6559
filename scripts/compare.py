"""The same as `recsys compare`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["compare", *sys.argv[1:]])
