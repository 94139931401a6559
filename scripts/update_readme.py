"""The same as `recsys update_readme`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["update_readme", *sys.argv[1:]])
