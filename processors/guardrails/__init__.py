"""Guardrails: pure checks of the texts of a request or of an answer."""
