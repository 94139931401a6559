"""The command line `recsys` and its subcommands."""
