"""Runs the pipeline once, as `flights run` does, and prints what it took as one line of JSON: `pipeline.pipeline` starts it."""

from __future__ import annotations

import json
import sys
import time

from flights.config import Config
from flights.quiet import import_quietly


def main(request: str) -> None:
    """Args: request: the settings of `flights.config.Config` as JSON."""
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(request).items()}
    import_quietly()
    import tensorflow_model_analysis as tfma

    from flights import store
    from flights.runners import local

    config = Config(**settings)
    started, cpu = time.monotonic(), time.process_time()
    reports = local.run(config)
    took = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
    evaluation = store.open_store(config).get_artifacts_by_type("ModelEvaluation")[-1]
    overall = dict(tfma.load_eval_result(evaluation.uri).slicing_metrics)[()]
    auc = overall[""][""]["auc"]["doubleValue"]
    print(json.dumps(took | {"nodes": {one.node: one.seconds for one in reports}, "auc": auc}))


if __name__ == "__main__":
    main(sys.argv[1])
