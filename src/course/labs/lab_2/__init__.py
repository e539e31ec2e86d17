"""What the notebook of lab 2 calls."""
