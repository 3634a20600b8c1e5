"""Readers of public data sets, as their owners publish them: people in pictures and videos, and motion capture."""
