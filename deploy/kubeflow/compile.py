"""Compiles the pipeline for Kubeflow Pipelines, and for an image.

python deploy/kubeflow/compile.py IMAGE
python deploy/kubeflow/compile.py IMAGE --months 1 2 --output out/pipeline.yaml
python deploy/kubeflow/compile.py IMAGE --retrain --output out/retrain.yaml
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
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--months", type=int, nargs="+", default=[1], help="the first and the last (default: 1)")
    what.add_argument("--retrain", action="store_true", help="instead of the pipeline's steps one, `flights retrain`")
    parser.add_argument("--output", default="out/pipeline.yaml", help="the file (default: out/pipeline.yaml)")
    options = parser.parse_args(arguments)
    import_quietly()
    from engines.kubeflow.command import compile_command
    from engines.kubeflow.compiler import compile_pipeline
    from flights.pipeline import create_components

    try:
        if options.retrain:
            config = Config()
            print(compile_command(config, _retrain, options.output, f"{config.pipeline_name}-retrain", options.image))
            return 0
        config = Config(months=(options.months[0], options.months[-1]))
        print(compile_pipeline(config, create_components, options.output, image=options.image))
    except (ValueError, OSError) as error:
        print(f"compile: {error}", file=sys.stderr)
        return 1
    return 0


def _retrain(data_root: str, output_root: str) -> list[str]:
    return ["flights", "retrain", "--data-root", data_root, "--output-root", output_root]


if __name__ == "__main__":
    sys.exit(main())
