"""Published propagation models, one module each."""
