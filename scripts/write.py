"""The same as `recsys write`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["write", *sys.argv[1:]])
