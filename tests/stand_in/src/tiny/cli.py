"""Stand-ins for the commands of a project (`flights.cli`): they take the same options, end with the same status, and record decisions alike."""

import argparse
import json
import sys
import time
from pathlib import Path

from . import model

OPTIONS = ("to", "months", "data-root", "output-root", "train-epochs", "min-auc", "min-slice-auc", "by-hand", "why")


def main() -> int:
    """Runs a command; the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("what", nargs="?", default="")
    for name in OPTIONS:
        parser.add_argument(f"--{name}", default="")
    options = parser.parse_args()
    output = Path(options.output_root)
    output.mkdir(parents=True, exist_ok=True)
    return {"run": run, "retrain": retrain, "release": release, "registry": registry}[options.command](options, output)


def run(options: argparse.Namespace, output: Path) -> int:
    """Refuses the data where a file says so."""
    if (Path(options.data_root) / "broken").exists():
        print("tiny run: month 1, line 7: no weight", file=sys.stderr)
        return 1
    print("Ended with DataGate, as asked" if options.to else "Blessed and pushed: out/serving/1")
    return 0


def retrain(options: argparse.Namespace, output: Path) -> int:
    """Registers a model that is better than the one in service; holds where a test wants two at once."""
    if (output / "hold").exists():
        (output / "holding").touch()
        while (output / "hold").exists():
            time.sleep(0.02)
    best = float((output / "quality").read_text()) if (output / "quality").exists() else 0.0
    history = output / "retraining" / "history.jsonl"
    history.parent.mkdir(exist_ok=True)
    number = len(history.read_text().splitlines()) + 1 if history.exists() else 1
    version = str(number) if best <= model.QUALITY else ""
    with open(history, "a") as records:
        decision = {"retrain": True, "reason": options.by_hand or "calendar"}
        records.write(json.dumps({"number": number, "decision": decision, "version": version}) + "\n")
    print(f"Registered: version {version}." if version else f"Refused: {model.QUALITY} is worse than {best}.")
    return 0


def release(options: argparse.Namespace, output: Path) -> int:
    """Takes back a version that breaks."""
    if model.BREAKS:
        print(f"Version {options.what} failed in canary: rolled back.")
        return 1
    (output / "quality").write_text(str(model.QUALITY))
    with open(output / "champions", "a") as champions:
        champions.write(f"{options.what}\n")
    print(f"Version {options.what} answers all requests.")
    return 0


def registry(options: argparse.Namespace, output: Path) -> int:
    """Takes the newest champion off, for a roll-back."""
    if options.what == "rollback":
        champions = (output / "champions").read_text().splitlines()[:-1]
        (output / "champions").write_text("".join(f"{one}\n" for one in champions))
        print(f"rollback ({options.why}): version {champions[-1]} answers.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
