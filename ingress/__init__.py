"""HTTP in, records out, replies back."""
