"""Clients of the `websockets` library that the page's server runs for a reader."""
