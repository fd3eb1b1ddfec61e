"""Records: what many people write at once (accounts, proposals, scenarios, history)."""
