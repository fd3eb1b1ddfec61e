"""Readers of the sources of study areas: one module for each kind of source."""
