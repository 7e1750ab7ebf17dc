"""A source, a chunker and an embedding provider for relance."""
