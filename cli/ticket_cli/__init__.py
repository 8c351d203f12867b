"""The command line of `ticket`."""
