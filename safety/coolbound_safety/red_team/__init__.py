"""Opponents of the safety layer: whoever proposes what it must not let through."""
