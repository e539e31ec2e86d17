"""The pipeline `delays`, as a colleague has left it: it ran on one machine, in one process, and six things in it do not migrate.

`delays/` holds it as it should be. For each student six of eight kinds of faults are put into it (`FAULTS`), at places that vary.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np

from course.labs.lab_5 import INHERITED as NAME
from flights.config import SCHEMA_FOLDER

BASE = Path(__file__).with_name("delays")
FOLDER = "inherited"
HOME = "/home/maria/delays"
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
STANDARD = {"datetime.": "import datetime", "json.": "import json", "Path(": "from pathlib import Path"}
"""What of Python a file imports where this stands in it."""

COUNT, ALWAYS = 6, "resolver"

KINDS = {
    "local-path": "a setting names a place of one machine",
    "module-file": "a component is given a file of code, instead of the name of a function in the package",
    "node-id": "the id of a component cannot be the name of a task on Kubeflow",
    "resolver": "the baseline is looked up in a metadata store that the engine does not have",
    "memory": "a variable is filled in one process and read in another",
    "lost-file": "code opens a file by a path that depends on the folder in which it was started",
    "schema": "the schema lies outside of the package",
    "moving-setting": "a setting is another one each time the pipeline is compiled",
}


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault at one place.

    Attributes:
        kind: of `KINDS`.
        node: the component that it breaks.
        edits: (file, text as it should be, text as it was left).
    """

    kind: str
    node: str
    edits: tuple[tuple[str, str, str], ...]


VALUES = {
    "gaps.json": '{"distance": 900.0, "temp": 57.0, "wind_speed": 10.0, "visib": 10.0}',
    "network.json": '{"hidden_units": [16], "l2": 0.003, "learning_rate": 0.003}',
}
GAPS = ("features.py", f"GAPS = {VALUES['gaps.json']}\n", "")
NETWORK = ("model.py", f"NETWORK = {VALUES['network.json']}\n", "")
TRANSFORM, TRAINER = 'custom_config={"version": 7}', 'custom_config={"seed": 7, "epochs": 10}'
CREATE = "    data = data_components(config)\n    examples, schema"
TRANSFORM_FN = 'preprocessing_fn="delays.features.preprocessing_fn"'
TRAINER_FN = 'run_fn="delays.model.run_fn"'

ON_TRANSFORM = {
    "local-path": Fault(
        "local-path",
        "Transform",
        (
            GAPS,
            ("features.py", "gaps = GAPS", 'gaps = json.loads(Path(custom_config["gaps"]).read_text())'),
            ("features.py", "(inputs):", "(inputs, custom_config):"),
            ("pipeline.py", TRANSFORM, f'custom_config={{"version": 7, "gaps": "{HOME}/gaps.json"}}'),
        ),
    ),
    "lost-file": Fault(
        "lost-file",
        "Transform",
        (GAPS, ("features.py", "gaps = GAPS", 'gaps = json.loads(Path("gaps.json").read_text())')),
    ),
    "memory": Fault(
        "memory",
        "Transform",
        (
            ("features.py", GAPS[1], "GAPS = {}\n"),
            (
                "pipeline.py",
                CREATE,
                f"    features.GAPS.update({VALUES['gaps.json']})\n{CREATE}",
            ),
            ("pipeline.py", "from tfx import v1 as tfx\n", "from delays import features\nfrom tfx import v1 as tfx\n"),
        ),
    ),
}
ON_TRAINER = {
    "local-path": Fault(
        "local-path",
        "Trainer",
        (
            NETWORK,
            ("model.py", "build(names, NETWORK)", 'build(names, json.loads(Path(settings["network"]).read_text()))'),
            ("pipeline.py", TRAINER, f'custom_config={{"seed": 7, "epochs": 10, "network": "{HOME}/network.json"}}'),
        ),
    ),
    "lost-file": Fault(
        "lost-file",
        "Trainer",
        (NETWORK, ("model.py", "build(names, NETWORK)", 'build(names, json.loads(Path("network.json").read_text()))')),
    ),
    "memory": Fault(
        "memory",
        "Trainer",
        (
            ("features.py", "WORDS = {", "READY = []\nWORDS = {"),
            (
                "features.py",
                "    return outputs | {LABEL: inputs[LABEL]}",
                "    READY[:] = outputs\n    return outputs | {LABEL: inputs[LABEL]}",
            ),
            ("model.py", 'INPUTS = [*features.NUMBERS, "minute", "origin_index", "carrier_index"]\n', ""),
            ("model.py", "names = INPUTS", "names = features.READY"),
        ),
    ),
}
IDS = {
    "StatisticsGen": ('examples=example_gen.outputs["examples"])', '.with_id("Statistics_Gen")'),
    "ExampleValidator": ("tfx.components.ExampleValidator(**both)", '.with_id("Example_Validator")'),
    "ImportSchemaGen": ('.with_id("ImportSchemaGen")', ""),
}


def faults(seed: int) -> list[Fault]:
    """The student's six faults, in the order of `KINDS`."""
    rng = np.random.default_rng([seed, 5])
    others = [kind for kind in KINDS if kind != ALWAYS]
    left_out = set(rng.choice(others, len(KINDS) - COUNT, replace=False))
    kinds = [kind for kind in KINDS if kind not in left_out]
    # At most one of these three is Transform's: the network of one Trainer is read at one place, too.
    places = [kind for kind in ("local-path", "lost-file", "memory") if kind in kinds]
    on_transform = (
        str(rng.choice(places)) if {"local-path", "lost-file"} <= set(places) else str(rng.choice([*places, ""]))
    )
    if {"local-path", "lost-file"} <= set(places) and on_transform == "memory":
        on_transform = "lost-file"
    chosen = {
        "module-file": _module_file(str(rng.choice(["Transform", "Trainer"]))),
        "node-id": _node_id(str(rng.choice(list(IDS)))),
        "resolver": Fault(
            "resolver",
            "LatestBlessedModel",
            (("pipeline.py", "    baseline = baseline or latest_blessed()\n", "    baseline = latest_blessed()\n"),),
        ),
        "schema": Fault(
            "schema",
            "ImportSchemaGen",
            (
                (
                    "pipeline.py",
                    "CuratedSchema(config.schema_file)",
                    'CuratedSchema(str(Path(__file__).parents[1] / "schema.pbtxt"))',
                ),
            ),
        ),
        "moving-setting": _moving(str(rng.choice(["Transform", "Trainer"]))),
    }
    for kind in places:
        chosen[kind] = (ON_TRANSFORM if kind == on_transform else ON_TRAINER)[kind]
    return [chosen[kind] for kind in kinds]


def _module_file(node: str) -> Fault:
    before, setting, name = {
        "Transform": (TRANSFORM_FN, "module_file", "features.py"),
        "Trainer": (TRAINER_FN, "module_file", "model.py"),
    }[node]
    after = f'{setting}=str(Path(__file__).with_name("{name}"))'
    return Fault("module-file", node, (("pipeline.py", before, after),))


def _node_id(node: str) -> Fault:
    before, added = IDS[node]
    after = before + added if added else '.with_id("Import_Schema_Gen")'
    return Fault("node-id", node, (("pipeline.py", before, after),))


def _moving(node: str) -> Fault:
    start = {"Transform": 'custom_config={"version": 7', "Trainer": 'custom_config={"seed": 7'}[node]
    after = start.replace("{", '{"compiled": str(datetime.datetime.now()), ')
    return Fault("moving-setting", node, (("pipeline.py", start, after),))


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
