"""Measures what the course promises about speed and size: `make bench`, or `python -m tools.bench --only sample,year`."""
