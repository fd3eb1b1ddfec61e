"""Parts of pages; each is called `show` and returns plain values."""
