"""Safety: what a guard model is asked, and how strictly its answer is read."""
