"""The subcommands, one file each; `camelid.cli.group` says which there are."""
