"""The same as `recsys answer`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["answer", *sys.argv[1:]])
