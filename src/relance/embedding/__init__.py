"""Turning texts and media into vectors: providers, rate limits, budgets, and what was bought already."""
