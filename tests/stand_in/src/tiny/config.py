"""Settings."""


class Config:
    """Of a run."""

    output_root = "out/pipeline"
