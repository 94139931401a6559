"""The same as `recsys pretrain`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["pretrain", *sys.argv[1:]])
