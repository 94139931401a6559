"""The same as `recsys study`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["study", *sys.argv[1:]])
