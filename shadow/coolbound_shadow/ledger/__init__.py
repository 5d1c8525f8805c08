"""The append-only decision ledger: chained, signed, sealed by day, verifiable."""
