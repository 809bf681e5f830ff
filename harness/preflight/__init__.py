"""Checks before a deployment: what would go wrong there is told here."""
