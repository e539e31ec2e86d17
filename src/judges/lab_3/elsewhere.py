"""Runs the student's package elsewhere: another folder, new processes, months that the check has drawn; edited, again, and on a month that is spoilt.

`Elsewhere` says what came of it, each time as a sentence of what is wrong; an empty one where nothing is.
"""

from __future__ import annotations

import ast
import base64
import functools
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from course import checks
from course.labs.lab_3.package import FOLDER, NAME
from flights.columns import LABEL
from judges.lab_3 import months, own_runs
from judges.shared import example_records, metadata_store, workspace_files
from judges.shared.metadata_store import MetadataStore
from judges.trial import Ran, Step, Trial

LEARNED, JUDGED = 6, 7
"""The months of the check, which the student has not seen."""
DRAW = 77
OUTPUT = "made/here"
"""Its `output_root`."""
COURSE_DATA = Path(__file__).resolve().parents[3] / "data"
TOLD_BY = ("month", "sched_dep_time", "dest")
"""Columns by which the flights of the check are told from others of the same months."""
ODD, USUAL = "ATL", "ORD"
"""A destination that the month to learn from does not have, and that is late on every flight of the month to judge on: a model that expects it to be late has
learned from both. And one that is as any other."""
ODD_FLIGHTS, ODD_ASKED, MOST_ODD = 80, 200, 0.12
ORDINARY = 1500
"""Flights that the pushed model is asked for, beside those to both destinations."""
SECONDS, FIRST_SECONDS = 60, 150
"""That a step has; the first trains and judges a model."""
FIRST, FEATURES_EDITED, MODEL_EDITED, HISTORY, AGAIN, REFUSED, ASKED, CANDIDATES = range(8)
"""The steps."""
ENTRIES = {"config": "Config", "features": "preprocessing_fn", "model": "run_fn", "pipeline": "create_pipeline"}
WORDS = {
    FIRST: f"run in another folder, on months {LEARNED} and {JUDGED} of the check",
    FEATURES_EDITED: "run again after an edit of a function in features.py",
    MODEL_EDITED: "run again after an edit of a function in model.py",
    AGAIN: "run once more, with nothing changed",
    REFUSED: f"run on a month {JUDGED} that is spoilt",
}
MAKE = ("Transform", "Trainer", "Evaluator", "Pusher")
"""What is not run where it is only asked whether it would run."""
MODELS = {"good": 0.9, "constant": 0.5, "poor": 0.545, "better": 0.99, "worse": 0.845}
"""The baseline, and candidates, with the areas under their ROC curves: what is worth something has 0.55 at least, and loses 0.05 at most."""
PREDICTIONS = "late_probability"
MOST_FILES, MOST_FILE_BYTES = 30, 200_000
LEAST_AUC, MOST_OFF = 0.58, 2.0
"""The area under the ROC curve on the flights that it is asked for, of which a linear model reaches 0.72; and how many times as high or low as the share of late
flights its mean probability may be."""


@dataclass(frozen=True)
class Flights:
    """The months of the check, and the flights that the pushed model is asked for: ordinary ones, the same with the usual and with the odd destination."""

    learned: pd.DataFrame
    judged: pd.DataFrame
    spoilt: pd.DataFrame
    asked: pd.DataFrame


@functools.cache
def flights() -> Flights:
    """All of them; do not change the frames."""
    learned, judged, asked = months.month(LEARNED, DRAW), months.month(JUDGED, DRAW), months.month(JUDGED, DRAW + 1)
    learned = learned[learned["dest"] != ODD].reset_index(drop=True)
    odd = judged["dest"] == ODD
    judged = judged[~odd | (odd.cumsum() <= ODD_FLIGHTS)].reset_index(drop=True)
    judged = judged.assign(**{LABEL: judged[LABEL].mask(judged["dest"] == ODD, 1)})
    spoilt = judged.assign(pressure=judged["pressure"] * 0.02953)
    asked = asked[asked["dest"] != ODD]
    some = asked[asked["dest"] == USUAL]
    some = pd.concat([some] * (ODD_ASKED // len(some) + 1)).iloc[:ODD_ASKED]
    asked = pd.concat([asked.iloc[:ORDINARY], some, some.assign(dest=ODD)], ignore_index=True)
    return Flights(learned, judged, spoilt, asked)


@functools.cache
def candidates() -> pd.DataFrame:
    """500 flights, of which 18 % are late as in January, with what each of `MODELS` says of them.

    They have scores that are normal for late and for other flights, some standard deviations apart, and say the probability that follows: so they are calibrated.
    The scores are quantiles in an order that is drawn: chance moves the areas by less than 0.003. One says the share of late flights of each.
    """
    judged, rng = flights().judged, np.random.default_rng(DRAW)
    found = pd.concat([judged[judged[LABEL] == late].iloc[::3][:count] for late, count in ((0, 410), (1, 90))])
    late, rate = found[LABEL].to_numpy(float), float(found[LABEL].mean())

    def knowing(area: float) -> np.ndarray:
        apart = NormalDist().inv_cdf(area) * 2**0.5
        score = apart * late
        for kind in (0, 1):
            count = int((late == kind).sum())
            score[late == kind] += [NormalDist().inv_cdf((number + 0.5) / count) for number in rng.permutation(count)]
        return 1 / (1 + (1 - rate) / rate * np.exp(apart**2 / 2 - apart * score))

    return found.assign(**{name: knowing(area) for name, area in MODELS.items()})


@functools.cache
def given() -> dict[str, bytes]:
    """The files that do not depend on the student."""
    drawn = flights()
    spans = {("months", LEARNED): drawn.learned, ("months", JUDGED): drawn.judged}
    spans |= {("other", LEARNED): drawn.learned, ("other", JUDGED): drawn.spoilt}
    files = {
        f"of-the-check/by {kind}/span-{number:02d}/flights.csv": months.to_csv(frame).encode()
        for (kind, number), frame in spans.items()
    }
    asked = b"\n".join(base64.b64encode(one) for one in encoded(drawn.asked.drop(columns=LABEL)))
    return files | {"asked.b64": asked, "candidates.csv": candidates().to_csv(index=False).encode()}


def encoded(frame: pd.DataFrame) -> Iterable[bytes]:
    """Flights as serialised tf.Examples."""
    from flights import data
    from flights.examples import encode

    types = {name: kind for name, kind in data.COLUMN_TYPES.items() if name in frame}
    return encode(pa.Table.from_pandas(frame[list(types)], pa.schema(types), preserve_index=False))


def trial(lab: checks.Lab) -> Trial:
    """All steps.

    Raises:
        checks.Wrong: there is no package.
    """
    package, output = sources(lab), OUTPUT
    here = Path.cwd()
    own = [str(lab.workspace), str(COURSE_DATA), *([str(here)] if here.name == lab.name else [])]

    def run(number: int, files: dict[str, bytes], stop: Sequence[str] = MAKE, data: str = "months") -> Step:
        settings = {"data_root": f"of-the-check/by {data}", "output_root": output, "months": [LEARNED, JUDGED]}
        asked = [NAME, json.dumps(settings), json.dumps(stop), f"{number}.json", *own]
        return Step("course.trials.pipeline", asked, files, SECONDS if stop else FIRST_SECONDS)

    names = ("features", "model")
    kept, changed = (
        {name: {f"{NAME}/{name}.py": marked(package[f"{name}.py"], mark)} for name in names} for mark in "ab"
    )
    steps = [
        run(FIRST, {}, stop=()),
        run(FEATURES_EDITED, changed["features"]),
        run(MODEL_EDITED, kept["features"] | changed["model"]),
        Step("course.trials.history", [output], kept["model"], SECONDS),
        run(AGAIN, {}),
        run(REFUSED, {}, data="other"),
        Step("course.trials.predictions", [f"{output}/serving", "asked.b64", "asked.json", PREDICTIONS], {}, SECONDS),
        Step("course.trials.candidates", [output, "candidates.csv", "demands.json", LABEL, *MODELS], {}, SECONDS),
    ]
    title = "your package in another folder, on months of the check: run, edited, run again, on spoilt data, its model asked"
    return Trial(
        title,
        given() | {f"{NAME}/{name}": content for name, content in package.items()} | kept["features"] | kept["model"],
        steps,
        ("tfx.v1", "flights.pipeline"),
    )


def sources(lab: checks.Lab) -> dict[str, bytes]:
    """The files of the package, by name.

    Raises:
        checks.Wrong: one of the four is missing, or there is too much.
    """
    root = workspace_files.inside(lab, f"{FOLDER}/{NAME}")
    found = {
        path.relative_to(root).as_posix(): workspace_files.inside(lab, f"{FOLDER}/{NAME}/{path.relative_to(root)}")
        for path in sorted(root.rglob("*") if root.is_dir() else [])
        if path.is_file() and path.suffix != ".pyc"
    }
    missing = [name for name in ENTRIES if f"{name}.py" not in found]
    if missing:
        raise checks.Wrong(
            f"There is no `{NAME}/{missing[0]}.py` yet. The last line of a cell, `lab.save({missing[0]!r})`, writes it when the cell is run."
        )
    if len(found) > MOST_FILES or any(path.stat().st_size > MOST_FILE_BYTES for path in found.values()):
        raise checks.Wrong(
            f"The folder `{FOLDER}/{NAME}` holds more than {MOST_FILES} files, or one that is larger than {MOST_FILE_BYTES:,} bytes."
        )
    return {name: path.read_bytes() for name, path in found.items()}


def marked(source: bytes, mark: str) -> bytes:
    """The same file with a statement more in its first function, or, where there is none, at its end; it does the same.

    With another mark, a letter, it is another text, which a function has an edited constant in, of the same length. A line keeps its number where it can.
    """
    statement = f"_elsewhere = '{mark}'".encode()
    try:
        body = next(one.body for one in ast.parse(source).body if isinstance(one, ast.FunctionDef))
    except (StopIteration, SyntaxError, ValueError, RecursionError, MemoryError):
        return source.rstrip() + b"\n\n\n" + statement + b"\n"
    first, lines = body[0], source.splitlines(keepends=True)
    if isinstance(first, ast.Expr):  # such as the text that documents it, which has to stay the first
        row, column, added = first.end_lineno, first.end_col_offset, b"; " + statement
    else:
        row, column, added = first.lineno, first.col_offset, statement + b"; "
    line = lines[row - 1]
    if getattr(first, "decorator_list", None):
        row = min(one.lineno for one in first.decorator_list)
    if hasattr(first, "body") or hasattr(first, "cases"):  # nothing may stand before it in its line
        lines.insert(row - 1, line[:column] + statement + b"\n")
    else:
        lines[row - 1] = line[:column] + added + line[column:]
    return b"".join(lines)


class Elsewhere:
    """What came of it."""

    def __init__(self, lab: checks.Lab) -> None:
        """Runs the trial, or takes what has come of it before.

        Raises:
            checks.Wrong: there is no package.
        """
        self.ran: Ran = lab.run(trial(lab))

    def read(self, name: str) -> Any:
        """What a step has left as JSON; an empty dictionary where there is nothing that can be read."""
        path = self.ran.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8")[:1_000_000]) if path.is_file() else {}
        except (ValueError, RecursionError):
            return {}

    def told(self, number: int) -> dict[str, Any]:
        """What the step of a run has said of itself."""
        found = self.read(f"{number}.json")
        return found if isinstance(found, dict) else {}

    def state(self, number: int, kind: str) -> str:
        """How a node went, whose name ends so: `done`, `cached`; `stopped` where it would have run; else empty."""
        if self.told(number).get("stopped") == kind:
            return "stopped"
        nodes = self.told(number).get("nodes")
        states = [str(one[1]) for one in nodes if str(one[0]).endswith(kind)] if isinstance(nodes, list) else []
        return states[-1] if states else ""

    def failure(self, number: int) -> str:
        """Why a step did not come to its end."""
        done, raised = self.ran.steps[number], self.told(number).get("raised")
        if done.status == 0 and not raised:
            return ""
        what = f"Your package, {WORDS[number]}, "
        if isinstance(raised, dict):
            place = (
                f" at `{str(raised['file'])[:60]}`, line {str(raised.get('line'))[:8]}" if raised.get("file") else ""
            )
            node = f" in {str(raised['node'])[:40]}" if raised.get("node") else ""
            lines = str(raised.get("message")).replace("`", "'").strip().splitlines() or [""]
            return f"{what}fails{node}{place}: {str(raised.get('type'))[:40]}: {' '.join(lines[:3])[:400]}"
        if done.status is None:
            return f"{what}had not ended when its time was over. {_last(done.said)}"
        return f"{what}ended with {done.status}. {_last(done.said)}"

    def _store(self) -> MetadataStore:
        paths = sorted(self.ran.folder.glob("made/here/*.sqlite"))
        if not paths:
            raise checks.Wrong("Your package, run in another folder, leaves no metadata store in its `output_root`.")
        return metadata_store.read(paths[0])

    def other_data(self) -> str:
        """Whether the first run has read other flights than those of `data_root`."""
        if told := self.failure(FIRST):
            return told
        runs = self._store().runs
        raw = own_runs.source(runs[0]) if runs else None
        _, _, place = str(raw.uri if raw else "").rpartition(f"/{OUTPUT}/")
        root = (self.ran.folder / OUTPUT / place).resolve()
        if not place or not root.is_relative_to(self.ran.folder.resolve()):
            return f"Your package, {WORDS[FIRST]}, leaves no examples in its `output_root`."
        found = Counter(
            tuple(one.get(name) for name in TOLD_BY)
            for folder in sorted(root.glob("Split-*"))
            for one in example_records.split(folder)
        )
        drawn = flights()
        if found == Counter(
            row
            for frame in (drawn.learned, drawn.judged)
            for row in frame[list(TOLD_BY)].itertuples(index=False, name=None)
        ):
            return ""
        return (
            f"Your package, {WORDS[FIRST]}, was given a `data_root` there, and its ExampleGen has read {found.total():,} flights that are not those in it. Which folder "
            "is it told?"
        )

    def predictions(self) -> np.ndarray:
        """Of the pushed model, for the flights of `flights().asked`.

        Raises:
            checks.Wrong: there are none.
        """
        if told := self.failure(FIRST):
            raise checks.Wrong(told)
        found: Any = self.read("asked.json")
        try:
            found = np.array(found if isinstance(found, list) else [], float)
        except (ValueError, TypeError):
            found = np.array([])
        if found.shape == (len(flights().asked),) and np.isfinite(found).all() and 0 <= found.min() <= found.max() <= 1:
            return found
        if not any(self.ran.folder.glob("made/here/serving/*/*")):
            raise checks.Wrong(
                f"Your package, {WORDS[FIRST]}, pushes no model to `serving_root`. Was it blessed? Does the Pusher's folder come from the configuration?"
            )
        raise checks.Wrong(
            f"The model that your package has pushed elsewhere gives no probability `{PREDICTIONS}` for each serialised flight without a label: what is known only "
            f"after a flight has landed has no place in what `serving_default` parses. {_last(self.ran.steps[ASKED].said)}"
        )

    def knows_nothing(self) -> str:
        """How the pushed model is no better than none."""
        late, says = flights().asked[LABEL].to_numpy(float)[:ORDINARY], self.predictions()[:ORDINARY]
        ranks = pd.Series(says).rank().to_numpy()
        count = late.sum()
        area = (ranks[late == 1].sum() - count * (count + 1) / 2) / (count * (len(late) - count))
        what = f"On {ORDINARY:,} flights of the check the model that your package has pushed elsewhere"
        if area < LEAST_AUC:
            return (
                f"{what} has an AUC of {area:.2f}; with features that say something about delays it is {LEAST_AUC} at least, and 0.5 is chance. Do all features reach "
                "the network, and does it learn?"
            )
        if not 1 / MOST_OFF < says.mean() / late.mean() < MOST_OFF:
            return f"{what} expects {says.mean():.0%} of them to be late, and {late.mean():.0%} are: its numbers are no probabilities."
        return ""

    def lets_pass(self) -> str:
        """Which candidate the Evaluator's demands treat in a wrong way."""
        if told := self.failure(FIRST):
            return told
        found = self.read("demands.json")
        try:
            demanded = [(str(kind), str(words)) for kind, words in found["demanded"]]
            _, *others = MODELS
            missed = {name: [(str(kind), str(words)) for kind, words in found["missed"][name]] for name in others}
        except (KeyError, TypeError, ValueError):
            return (
                f"What your Evaluator demands cannot be held against a model. {_last(self.ran.steps[CANDIDATES].said)}"
            )

        def listed(some: list[tuple[str, str]], kind: str) -> str:
            return "; ".join(dict.fromkeys(words for one, words in some if one == kind))[:300]

        values, changes = listed(demanded, "value"), listed(demanded, "change")
        rate = candidates()[LABEL].mean()
        if not listed(missed["constant"], "value"):
            return (
                f"Your Evaluator would bless a model that says {rate:.2f} of every flight: its AUC is 0.5, and {1 - rate:.0%} of the flights are on time. What is "
                f"demanded of a model's own values: {values or 'nothing (`value_threshold`)'}."
            )
        if not listed(missed["poor"], "value"):
            return (
                f"Your Evaluator would bless a model with an AUC of {MODELS['poor']}: it is worth something from 0.55 on. What is demanded of a model's own values: "
                f"{values}."
            )
        if not changes:
            return "Your Evaluator demands nothing against the baseline (`change_threshold`): a worse model would follow a good one."
        if wrong := listed(missed["better"], "change"):
            return f"Your Evaluator refuses a model with an AUC of 0.99 that follows one of 0.9, because of: {wrong}. Which direction is better?"
        if not listed(missed["worse"], "change"):
            return f"Your Evaluator lets a model with an AUC of {MODELS['worse']} follow one of 0.9: it may lose 0.05 at most. What it demands against the baseline: {changes}."
        return ""

    def stale(self) -> str:
        """What is taken from the cache although it was edited."""
        for number, name, kinds in (
            (FEATURES_EDITED, "features", ("Transform",)),
            (MODEL_EDITED, "model", ("Transform", "Trainer")),
        ):
            if told := self.failure(number):
                return told
            if not any(self.state(number, kind) == "stopped" for kind in kinds):
                return (
                    f"After an edit of a function in {name}.py, elsewhere, your package takes {kinds[-1]} from the cache: it would serve what is no longer in the code. "
                    "Of a function the cache compares the name among the settings of a component; what else would have to be among them? (The edit is of one letter: the file "
                    "is as long, and as old, as before.)"
                )
        return ""

    def uncached(self) -> str:
        """What runs again although nothing has changed."""
        if told := self.failure(AGAIN):
            return told
        again = [kind for kind in ("ExampleGen", "StatisticsGen", *MAKE[:2]) if self.state(AGAIN, kind) != "cached"]
        listed = ", ".join(again)
        return f"Your package, {WORDS[AGAIN]}, does not take these from the cache: {listed}." if again else ""

    def learns_from_both(self) -> str:
        """Whether the month to judge on was learned from."""
        _, usual, odd = np.split(self.predictions(), [ORDINARY, ORDINARY + ODD_ASKED])
        if self._words_of_both():
            return (
                f"Transform, run elsewhere, learns from month {JUDGED}, too, which is to judge on: it knows a destination that month {LEARNED} does not have. Which splits does "
                "it analyse?"
            )
        if odd.mean() - usual.mean() > MOST_ODD:
            return (
                f"Elsewhere, month {JUDGED}, which is to judge on, has a destination that month {LEARNED} does not have, and your model knows how often it is late there: "
                "it has learned from the flights that it is judged on. Which files does `run_fn` read?"
            )
        return ""

    def _words_of_both(self) -> bool:
        """Whether a vocabulary of the first run, which alone has made a graph, has the odd destination."""
        files = self.ran.folder.glob("made/here/**/transform_fn/assets/*")
        return any(ODD.encode() in path.read_bytes().split() for path in files if path.stat().st_size < MOST_FILE_BYTES)

    def wrong_baseline(self) -> str:
        """Which other model than the latest blessed one is the baseline."""
        if told := self.failure(AGAIN):
            return told
        if not self.state(AGAIN, "Evaluator"):
            return self.uncached() or f"Your package, {WORDS[AGAIN]}, has no Evaluator."
        store = self._store()
        later = {run.name: run for run in store.runs if run.name in ("later-blessed", "latest-refused")}
        models = {
            name: run.find("Trainer").one("outputs", "model") for name, run in later.items() if run.find("Trainer")
        }
        judged = [one for one in store.executions if one.is_a("Evaluator") and one.inputs]
        found = judged[-1].one("inputs", "baseline_model") if judged else None
        if len(models) != 2 or found == models["later-blessed"]:
            return (
                ""
                if len(models) == 2
                else "Your package, run elsewhere, leaves no model that has been trained and judged."
            )
        if found is None:
            return "Elsewhere, with models that were blessed before, your Evaluator has no baseline: which component looks up the latest blessed model?"
        if found == models["latest-refused"]:
            return "Elsewhere the baseline is the latest model, which was refused. It has to be the latest that was blessed."
        return "Elsewhere, where two models were blessed one after the other, the baseline is not the later one. It has to be the latest that was blessed."

    def not_refused(self) -> str:
        """How the run on the spoilt month goes on, or stops for another reason."""
        raised, stopped = self.told(REFUSED).get("raised"), self.told(REFUSED).get("stopped")
        what = f"In a month {JUDGED} elsewhere one column is outside of its range in the schema"
        if stopped or self.state(REFUSED, "Transform"):
            return f"{what}, and your pipeline goes on to {str(stopped or 'Transform')[:20]}: which component reads the anomalies and fails, and what waits for it?"
        if self.state(REFUSED, "ExampleValidator") != "done" or not isinstance(raised, dict):
            return f"{what}. {self.failure(REFUSED) or 'Your pipeline does not fail'}, before ExampleValidator has looked at it."
        return ""


def _last(said: str) -> str:
    """The last line with which a step has named an error, or the last of all."""
    lines = [line.strip() for line in said.replace("`", "'").splitlines() if line.strip()]
    return next(
        (line for line in reversed(lines) if re.match(r"[\w.]*(Error|Exception): ", line)), lines[-1] if lines else ""
    )[:300]
