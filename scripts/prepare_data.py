"""The same as `recsys prepare_data`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["prepare_data", *sys.argv[1:]])
