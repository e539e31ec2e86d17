"""The pipeline `delays`, as a colleague has left it: it ran on one machine, in one process, and six things in it do not migrate.

`delays/` holds it as it should be. For each student six of eight kinds of faults are put into it (`faults.yaml`), at places that vary.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import yaml

from course.labs.lab_5 import INHERITED as NAME
from flights.config import SCHEMA_FOLDER

BASE = Path(__file__).with_name("delays")
FOLDER = "inherited"
PYPROJECT = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "delays"
version = "7.0"
requires-python = ">=3.11,<3.12"

[tool.setuptools]
packages = ["delays"]
"""
VALUES = {
    "gaps.json": '{"distance": 900.0, "temp": 57.0, "wind_speed": 10.0, "visib": 10.0}',
    "network.json": '{"hidden_units": [16], "l2": 0.003, "learning_rate": 0.003}',
}
STANDARD = {"datetime.": "import datetime", "json.": "import json", "Path(": "from pathlib import Path"}
"""What of Python a file imports where this stands in it."""
KINDS: dict[str, dict[str, list[list[str]]]] = yaml.safe_load(
    Path(__file__).with_name("faults.yaml").read_text(encoding="utf-8")
)
"""By kind, and by the component that it breaks: file, text as it should be, text as it was left."""
COUNT, ALWAYS = 6, "resolver"


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault: its kind, of `KINDS`, and the component that it breaks."""

    kind: str
    node: str

    @property
    def edits(self) -> list[list[str]]:
        """What it changes."""
        return KINDS[self.kind][self.node]


def faults(seed: int) -> list[Fault]:
    """The student's six faults, in the order of `KINDS`."""
    rng = np.random.default_rng([seed, 5])
    left_out = set(rng.choice([kind for kind in KINDS if kind != ALWAYS], len(KINDS) - COUNT, replace=False))
    kinds = [kind for kind in KINDS if kind not in left_out]
    # At most one of these three is Transform's: the network of one Trainer is read at one place, too.
    places = [kind for kind in ("local-path", "lost-file", "memory") if kind in kinds]
    both = {"local-path", "lost-file"} <= set(places)
    on_transform = str(rng.choice(places if both else [*places, ""]))
    if both and on_transform == "memory":
        on_transform = "lost-file"
    chosen = {kind: str(rng.choice(list(KINDS[kind]))) for kind in ("module-file", "node-id", "moving-setting")}
    chosen |= {kind: "Transform" if kind == on_transform else "Trainer" for kind in places}
    return [Fault(kind, chosen.get(kind, next(iter(KINDS[kind])))) for kind in kinds]


def sources(seed: int) -> dict[str, str]:
    """The files of the package as the student finds them, by name."""
    found = {path.name: path.read_text(encoding="utf-8") for path in sorted(BASE.glob("*.py"))}
    # What moves a setting is put in last: others replace the whole of it.
    for fault in sorted(faults(seed), key=lambda fault: fault.kind == "moving-setting"):
        for name, before, after in fault.edits:
            if before not in found[name]:
                raise ValueError(f"{fault.kind} of {fault.node}: {name} has no {before!r}")
            found[name] = found[name].replace(before, after, 1)
    return {name: _imports(text) for name, text in found.items()}


def _imports(text: str) -> str:
    """With the imports from Python itself that it uses, and two empty lines before what is defined."""
    used = [line for word, line in STANDARD.items() if word in text]
    heading, _, rest = text.partition("\n\n")
    text = "\n\n".join([heading, *(["\n".join(used)] if used else []), rest])
    return re.sub(r"\n{4,}", "\n\n\n", text)


def files_beside(seed: int) -> dict[str, str]:
    """Files that lie beside the package, and of which some code of it speaks: by name."""
    text = "".join(sources(seed).values())
    files = VALUES | {"schema.pbtxt": (SCHEMA_FOLDER / "schema.pbtxt").read_text(encoding="utf-8")}
    return {name: f"{content.strip()}\n" for name, content in files.items() if name in text}


def write(root: Path, seed: int) -> None:
    """Writes the package and what lies beside it into `root/inherited`."""
    folder = root / FOLDER
    (folder / NAME).mkdir(parents=True)
    for name, text in sources(seed).items():
        (folder / NAME / name).write_text(text, encoding="utf-8")
    for name, text in (files_beside(seed) | {"pyproject.toml": PYPROJECT}).items():
        (folder / name).write_text(text, encoding="utf-8")
