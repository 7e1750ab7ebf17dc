"""How relance is operated by Prefect: what is registered on a server, and what runs around it."""
