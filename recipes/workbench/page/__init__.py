"""The page of `python -m recipes`: what a browser shows, and its one socket."""
