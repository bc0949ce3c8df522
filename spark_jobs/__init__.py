"""The event log as Delta tables, their upkeep, and SQL over them. Run by Spark on one machine or many."""
