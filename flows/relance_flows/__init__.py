"""What runs, in order. Start reading in `ingest.py`."""
