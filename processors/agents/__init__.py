"""Thin agents: they await; the policies decide."""
