"""The words every house shares: records, topics, tables, endpoint configuration, refusals. No I/O."""
