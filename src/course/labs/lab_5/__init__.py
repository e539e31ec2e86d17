"""What the notebook of lab 5 calls, and the files that this leaves in the workspace."""

INHERITED = "delays"
"""Name of the package that is inherited, and of its pipeline."""
MENDED, TRIAL = "mended", "trial"
"""The folder with its copy that is mended, and that in which `trial` runs it."""
COMPILED, AGAIN, RUNS = f"{TRIAL}/pipeline.yaml", f"{TRIAL}/again.yaml", f"{TRIAL}/runs"
SOURCE = f"{TRIAL}/source"
PASSING = ("__pycache__", ".ipynb_checkpoints", "build", "*.egg-info")
"""Files that come and go, and are not the package's."""
COPY = "pipeline.yaml"
"""The copy of its specification in the folder of a run."""
