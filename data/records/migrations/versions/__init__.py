"""The steps, one file each, in a chain."""
