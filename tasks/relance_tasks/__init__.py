"""How Prefect runs the stages: names, retries, timeouts, tags. What they do is in `src/relance`."""
