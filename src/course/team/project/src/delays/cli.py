"""The commands that deploy/ci-cd calls: `run`, `retrain`, `release`, `registry`.

They are those of the course's project, with the same options, and do the same in a few lines: the
registry is a folder of JSON files, and the champion a line in another.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from delays import data, model

TRAINED_ON, JUDGED_ON = 1, 2
OPTIONS = "to months data-root output-root train-epochs min-auc min-slice-auc by-hand why".split()


def run(asked: argparse.Namespace, output: Path) -> int:
    """The pipeline on the sample: gate, train, write."""
    month = data.read(asked.data_root, int(asked.months))
    if asked.to:
        print(f"DataGate: {len(month)} flights of month {asked.months} keep the contract")
        return 0
    (output / "sample.json").write_text(json.dumps(model.train(month)))
    print(f"Blessed and pushed: {output / 'sample.json'}")
    return 0


def retrain(asked: argparse.Namespace, output: Path) -> int:
    """Trains, judges beside the version in service, and registers what is better."""
    judged = data.read(asked.data_root, JUDGED_ON)
    made = model.train(data.read(asked.data_root, TRAINED_ON))
    answers = [model.predict(made, flight) for flight in judged]
    found, best = model.error(answers, judged), _champion(output).get("error", 1.0)
    history = output / "retraining" / "history.jsonl"
    history.parent.mkdir(exist_ok=True)
    number = len(history.read_text().splitlines()) + 1 if history.exists() else 1
    version = str(number) if found < best else ""
    if version:
        kept = {"version": version, "error": found, "groups": len(made) - 1, "model": made}
        (output / f"version-{version}.json").write_text(json.dumps(kept))
    with open(history, "a") as lines:
        lines.write(json.dumps({"reason": asked.by_hand, "version": version}) + "\n")
    verdict = f"registered as version {version}" if version else "refused"
    beside = f"beside {best:.4f} of the version in service" if best < 1 else "the first model"
    print(f"{len(made) - 1} groups, error {found:.4f}, {beside}: {verdict}")
    return 0


def release(asked: argparse.Namespace, output: Path) -> int:
    """Tries a version as a client would, and makes it the champion."""
    kept = json.loads((output / f"version-{asked.what}.json").read_text())
    answers = [model.predict(kept["model"], one) for one in data.read(asked.data_root, JUDGED_ON)]
    if not all(0 <= answer <= 1 for answer in answers):
        print(f"Version {asked.what} answers with what is no probability")
        return 1
    (output / "champion.json").write_text(json.dumps(kept))
    print(f"Version {asked.what} answers all requests")
    return 0


def registry(asked: argparse.Namespace, output: Path) -> int:
    """Who answers, and whether the registry knows it."""
    champion = _champion(output)
    kept = output / f"version-{champion['version']}.json"
    if asked.what == "check":
        agrees = kept.exists() and json.loads(kept.read_text()) == champion
        print("champion and registry agree" if agrees else "champion and registry disagree")
        return 0 if agrees else 1
    print(f"champion: version {champion['version']}, error {champion['error']:.4f}")
    return 0


def _champion(output: Path) -> dict[str, Any]:
    file = output / "champion.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def main() -> int:
    """Does what was asked for; the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=("run", "retrain", "release", "registry"))
    parser.add_argument("what", nargs="?", default="")
    for name in OPTIONS:
        parser.add_argument(f"--{name}", default="")
    asked = parser.parse_args()
    output = Path(asked.output_root)
    output.mkdir(parents=True, exist_ok=True)
    try:
        return {"run": run, "retrain": retrain, "release": release, "registry": registry}[
            asked.command
        ](asked, output)
    except data.DataError as error:
        print(f"delays {asked.command}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
