"""The same as `recsys train`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
