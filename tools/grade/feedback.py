"""What who makes a feedback page and who writes into it have in common."""

from __future__ import annotations

SAID = ("<!-- said of the run -->", "<!-- end -->")
"""Between them a page has what is said of the run."""
