"""Figures of speed and accuracy, printed as JSON."""
