"""From unknown exports to a canonical log: inspect, map, import, report."""
