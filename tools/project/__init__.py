"""Starts a project of a reader's own: the pipeline under another name, with a `pyproject.toml`, tests and a README."""
