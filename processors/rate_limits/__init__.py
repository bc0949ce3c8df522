"""Rate limits: which windows a request touches, and whether they have room."""
