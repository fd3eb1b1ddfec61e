"""The web application: thin pages over the packages data, coverage and planning."""
