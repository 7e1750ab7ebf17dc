"""What an index is for beside search: recommendations, clusters, classes, anomalies, near-duplicates, maps."""
