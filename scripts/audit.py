"""The same as `recsys audit`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["audit", *sys.argv[1:]])
