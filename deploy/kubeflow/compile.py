"""Compiles the pipeline for Kubeflow Pipelines, and for an image.

python deploy/kubeflow/compile.py IMAGE
python deploy/kubeflow/compile.py IMAGE --months 1 2 --output out/pipeline.yaml
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from engines.quiet import import_quietly
from flights.config import Config


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the file and prints its name; returns the exit status: 0, or 1 after a sentence that says what is wrong."""
    parser = argparse.ArgumentParser(prog="compile.py", description=__doc__.partition("\n")[0])
    parser.add_argument("image", help="the name that kind-up.sh prints, or that of the image in your own registry")
    parser.add_argument("--months", type=int, nargs="+", default=[1], help="the first and the last (default: 1)")
    parser.add_argument("--output", default="out/pipeline.yaml", help="the file (default: out/pipeline.yaml)")
    options = parser.parse_args(arguments)
    import_quietly()
    from engines.kubeflow.compiler import compile_pipeline
    from flights.pipeline import create_components

    try:
        config = Config(months=(options.months[0], options.months[-1]))
        print(compile_pipeline(config, create_components, options.output, image=options.image))
    except (ValueError, OSError) as error:
        print(f"compile: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
