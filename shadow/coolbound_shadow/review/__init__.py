"""The review page: staff look at the ledger's events, say what they think, sign."""
