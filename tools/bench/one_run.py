"""Runs the pipeline once, as `flights run` does, and prints what it took as one line of JSON: `pipeline.pipeline` starts it."""

from __future__ import annotations

import json
import sys
import time

from engines.quiet import import_quietly
from flights.config import Config


def main(request: str) -> None:
    """Args: request: the settings of `flights.config.Config` as JSON."""
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(request).items()}
    import_quietly()
    import tensorflow_model_analysis as tfma

    from engines import local, store
    from flights.pipeline import create_pipeline

    config = Config(**settings)
    started, cpu = time.monotonic(), time.process_time()
    reports = local.run(config, create_pipeline)
    took = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
    evaluation = store.open_store(config).get_artifacts_by_type("ModelEvaluation")[-1]
    overall = dict(tfma.load_eval_result(evaluation.uri).slicing_metrics)[()]
    auc = overall[""][""]["auc"]["doubleValue"]
    print(json.dumps(took | {"nodes": {one.node: one.seconds for one in reports}, "auc": auc}))


if __name__ == "__main__":
    main(sys.argv[1])
