"""The network: the client all services are called with, the event loop it runs on, and serving an app of ours."""
