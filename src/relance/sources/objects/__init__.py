"""The `objects` source: buckets of S3, GCS and Azure, and what else lists objects by their keys."""

from relance.sources.objects.source import Objects

__all__ = ["Objects"]
