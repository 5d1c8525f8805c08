"""Limits, envelope, certified projection and fallback."""
