"""What the notebook of lab 5 calls, and the files that this leaves in the workspace."""

INHERITED = "delays"
"""Name of the package that is inherited, and of its pipeline."""
MENDED, TRIAL = "mended", "trial"
"""The folder with its copy that is mended, and that in which `trial` runs it."""
COPY = "pipeline.yaml"
"""The copy of its specification in the folder of a run."""
