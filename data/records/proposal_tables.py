"""Tables of the carriers' proposals."""
