"""The main path: what changed, batches of it through the stages, and what a run reports."""
