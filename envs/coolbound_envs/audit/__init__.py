"""The environment's own quality gate: checks that an environment can fail."""
