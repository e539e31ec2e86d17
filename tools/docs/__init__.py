"""Writes the parts of documents that follow from something else: `python -m tools.docs readme` renews the table of lessons."""
