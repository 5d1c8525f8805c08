"""Logs, comparison, decision records and reports."""
