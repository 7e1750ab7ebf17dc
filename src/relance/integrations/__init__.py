"""Retrievers for other frameworks: one file each, on top of `relance.index`. They only read."""
