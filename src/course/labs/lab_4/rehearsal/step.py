"""Stands in for a step of the pipeline: writes down that it was started, and ends as the case says. Starts in hundredths of a second."""

import json
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))


def read(name: str) -> dict:
    """A file of the folder; empty where there is none."""
    try:
        with open(os.path.join(FOLDER, name)) as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def main(step: str, month: str, run: str) -> int:
    """Returns the exit status; a negative one is the signal that ends this process."""
    started = os.path.join(FOLDER, "steps.jsonl")
    earlier = 0
    if os.path.exists(started):
        with open(started) as file:
            earlier = sum(json.loads(line)["step"] == step for line in file)
    endings = read("case.json").get(step, [])
    code = endings[min(earlier, len(endings) - 1)] if endings else 0
    told = {"step": step, "month": month, "run": run, "task": read("now.json").get("task"), "code": code}
    with open(started, "a") as file:
        file.write(json.dumps(told) + "\n")
    if code:
        print(f"{'flights.gate.BadDataError' if code == 65 else 'OSError'}: made up by the rehearsal", file=sys.stderr)
    if code < 0:
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
