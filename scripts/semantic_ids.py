"""The same as `recsys semantic_ids`, from a checkout."""

import sys

from recsys.commands.main import main

if __name__ == "__main__":
    main(["semantic_ids", *sys.argv[1:]])
