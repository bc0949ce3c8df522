"""Topics to things that are not topics: Prometheus metrics, dead-letter files."""
