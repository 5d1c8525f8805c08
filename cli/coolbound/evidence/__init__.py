"""The evidence behind `docs/safety-evidence.md`: measured, explained and written."""
