"""The chilled-water plant and the cooling task. Knows nothing above it."""
