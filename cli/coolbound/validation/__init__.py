"""The evidence behind `docs/validation.md`: measured, judged, drawn and written."""
