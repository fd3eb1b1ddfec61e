"""Get, check and store the data of a study area."""
