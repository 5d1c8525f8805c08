"""The override report: what was changed, by whom, why, and what came of it."""
