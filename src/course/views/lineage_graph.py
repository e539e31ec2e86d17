"""What a question about lineage leads to, as boxes and lines: names that are the same in each run, for a notebook that is kept.

TFX calls a version after the second in which it was pushed, and numbers the outputs of one execution in no fixed order. So models and such versions are
counted here, in the order in which the store has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from course import style
from engines.lineage import Lineage, Model, Push, Reach, Use, Verdict, Version

CLOCK_DIGITS = 9
"""A version with as many digits is a time."""

MOST_FILES = 3
"""Files that have a box each; more are one box."""

MOST_GENERATIONS = 3
"""Models of a warm start that are drawn, one after the other."""

DATA, MODEL, DEPLOYMENT = style.PHASES["Data"], style.PHASES["Model"], style.PHASES["Deployment"]


@dataclass(frozen=True)
class Box:
    """A box.

    Attributes:
        name: its first line.
        words: its second.
        colour: by phase.
        apart: whether it had no part in what is asked for; dashed.
    """

    name: str
    words: str
    colour: str
    apart: bool = False


@dataclass
class Picture:
    """Boxes by a key, and what each depends on.

    Attributes:
        boxes: by key.
        parents: keys of what a box comes from.
        dashed: parent and child of lines along which nothing was learned.
        title: what it shows.
        said: a sentence below it.
    """

    boxes: dict[str, Box] = field(default_factory=dict)
    parents: dict[str, set[str]] = field(default_factory=dict)
    dashed: set[tuple[str, str]] = field(default_factory=set)
    title: str = ""
    said: str = ""

    def add(self, key: str, box: Box, parents: Iterable[str] = ()) -> str:
        """Adds a box, unless it is there; returns its key."""
        self.boxes.setdefault(key, box)
        self.parents.setdefault(key, set()).update(parents)
        return key


class Names:
    """What models and versions of a store are called."""

    def __init__(self, lineage: Lineage) -> None:
        """Counts them."""
        self._models = {one.id: number for number, one in enumerate(lineage.graph.of_type("Model"), 1)}
        self._pushes = {one.artifact: number for number, one in enumerate(lineage.versions(), 1)}
        self._several = len({one.step.pipeline for one in lineage.models()}) > 1

    def model(self, artifact: int) -> str:
        """`model 2`."""
        return f"model {self._models[artifact]}"

    def version(self, push: Push) -> str:
        """`version 7`, or by its place in the order where it is called after a time."""
        return f"version {push.version if len(push.version) < CLOCK_DIGITS else self._pushes[push.artifact]}"

    def words(self, model: Model) -> str:
        """What became of a model; of which pipeline, where there are several."""
        return f"{model.outcome}, {model.step.pipeline}" if self._several else model.outcome


def backward(lineage: Lineage, told: Version | Model, with_baseline: bool) -> Picture:
    """What made a model, how it was judged, and as what it was pushed.

    Args:
        lineage: of the store.
        told: a version, or a model that need not be one.
        with_baseline: draw what the model was held against, which is where a walk over all events goes astray.
    """
    names, picture = Names(lineage), Picture()
    model = told.model if isinstance(told, Version) else told
    last = _made(picture, names, model)
    shown = told.verdicts if isinstance(told, Version) else model.verdicts
    verdicts = [_judged(picture, lineage, names, verdict, last, with_baseline) for verdict in shown]
    pushes = (told.push,) if isinstance(told, Version) else model.pushes
    for push in pushes:
        words = "" if push.is_there else "folder is gone"
        picture.add(f"push {push.artifact}", Box(names.version(push), words, DEPLOYMENT), {last, *verdicts})
    whose = names.version(told.push) if isinstance(told, Version) else names.model(model.artifact)
    own, earlier = (
        _spans(model.trained_on),
        _spans(use for one in list(model.generations)[1:] for use in one.trained_on),
    )
    picture.title = f"{whose.capitalize()} was trained on {own}{f', by warm start on {earlier}' if model.base else ''}"
    baselines = sorted({one.baseline for one in shown if one.baseline not in (None, model.artifact)})
    picture.said = (
        f"Dashed: {names.model(baselines[0])} is what the Evaluator held {names.model(model.artifact)} against. Its data had no part in "
        "the training by that; a walk that follows Pusher's blessing would say so."
        if baselines and with_baseline
        else "Each line is an event: something was read, and something made."
    )
    return picture


def _made(picture: Picture, names: Names, model: Model, apart: bool = False, depth: int = 1) -> str:
    """A model with what it was made from; of earlier models the data only."""
    key = f"model {model.artifact}"
    if key in picture.boxes:
        return key
    data = _data(picture, model.trained_on, apart)
    if depth > 1 or apart or not model.transform_graph:
        parents = set(data)
    else:
        schema = {picture.add("schema", Box("schema", "", DATA))} if model.schema else set()
        graph = Box("Transform", "graph", DATA)
        parents = {picture.add(f"graph {model.transform_graph.artifact}", graph, {*data, *schema})}
        if model.hyperparameters:
            parents.add(picture.add("tuner", Box("Tuner", "best trial", MODEL), data))
    words = names.words(model)
    if model.base and depth < MOST_GENERATIONS:
        parents.add(_made(picture, names, model.base, apart, depth + 1))
    elif model.base:
        words = f"and {sum(1 for _ in model.base.generations)} before it"
    return picture.add(key, Box(names.model(model.artifact), words, MODEL, apart), parents)


def _judged(picture: Picture, lineage: Lineage, names: Names, verdict: Verdict, model: str, with_baseline: bool) -> str:
    words = "blessed" if verdict.blessed else "refused"
    key = picture.add(f"verdict {verdict.artifact}", Box(verdict.step.node, words, MODEL), {model})
    # One direction after the other: what is evaluated on stands before the judge, not before the model.
    data = _data(picture, verdict.judged_on, apart=True)
    parents = set(data)
    if with_baseline and verdict.baseline is not None and f"model {verdict.baseline}" != model:
        parents.add(_made(picture, names, lineage.model(verdict.baseline), apart=True, depth=MOST_GENERATIONS - 1))
    picture.parents[key] |= parents
    picture.dashed |= {(parent, key) for parent in parents}
    return key


def _data(picture: Picture, uses: Sequence[Use], apart: bool) -> list[str]:
    """A box for each file and its splits, or one for many."""
    if len(uses) > MOST_FILES:
        key = f"data {sorted((use.file.path, use.file.checksum, use.splits) for use in uses)}"
        return [picture.add(key, Box(_spans(uses), f"{len(uses)} files", DATA, apart))]
    found = []
    for use in uses:
        key = f"data {use.file.path} {use.file.checksum} {use.splits}"
        words = f"{use.file.checksum[:6] or 'no checksum'}, {' '.join(use.splits)}"
        found.append(picture.add(key, Box(_spans([use]), words, DATA, apart)))
    return found


def _spans(uses: Iterable[Use]) -> str:
    """`span 3`, `spans 1–8, 10`, how many where they are scattered, or paths where none is known."""
    used = list(uses)
    numbers = sorted({use.file.span for use in used if use.file.span is not None})
    if not numbers:
        paths = ", ".join(sorted({use.file.path for use in used})[:MOST_FILES])
        return paths or ("examples" if used else "nothing recorded")
    rows: list[list[int]] = []
    for number in numbers:
        if rows and number == rows[-1][-1] + 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    told = [str(row[0]) if len(row) == 1 else f"{row[0]}–{row[-1]}" for row in rows]
    if len(told) > MOST_FILES:
        return f"{len(numbers)} spans"
    return f"span{'s' if len(numbers) > 1 else ''} {', '.join(told)}"


def forward(lineage: Lineage, reached: Sequence[Reach], asked: str) -> Picture:
    """Which models something has reached, and as which versions.

    Args:
        lineage: of the store.
        reached: by it.
        asked: what it is called.
    """
    names, picture = Names(lineage), Picture()
    start = picture.add("asked", Box(asked, "", DATA)) if not any(one.uses for one in reached) else ""
    files = {(use.file.path, use.file.checksum) for one in reached for use in one.uses}
    for one in reached:
        key = f"model {one.model.artifact}"
        data = {start} if start and not one.through else set()
        for use in () if one.through else one.uses:
            words = use.file.checksum[:6] or "no checksum"
            box = Box(_spans([use]), words, DATA)
            data.add(picture.add(f"data {use.file.path} {use.file.checksum}", box))
        learned = one.how != "evaluated"
        through = {f"model {one.through[0]}"} if one.through else set()
        box = Box(names.model(one.model.artifact), names.words(one.model), MODEL, not learned)
        picture.boxes[key] = box
        picture.parents.setdefault(key, set()).update(data | through)
        picture.dashed |= set() if learned else {(parent, key) for parent in data}
        for push in one.model.pushes:
            words = "" if push.is_there else "folder is gone"
            picture.add(f"push {push.artifact}", Box(names.version(push), words, DEPLOYMENT, not learned), {key})
    for parents in list(picture.parents.values()):  # a model in between that another pipeline owns
        for key in parents - picture.boxes.keys():
            picture.add(key, Box(names.model(int(key.split()[1])), "", MODEL))
    learned = [one for one in reached if one.how != "evaluated"]
    pushes = sum(len(one.model.pushes) for one in learned)
    models = f"{len(learned)} model{'' if len(learned) == 1 else 's'}"
    picture.title = f"{asked.capitalize()} has reached {models} and {pushes} version{'' if pushes == 1 else 's'}"
    only = [names.model(one.model.artifact) for one in reached if one.how == "evaluated"]
    picture.said = (
        f"Dashed: {', '.join(only)}, only evaluated on it." if only else "All models drawn have learned from it."
    )
    if len(files) > 1:
        picture.said += (
            f" It was read with {len(files)} contents, told apart by the first six digits of their checksums."
        )
    return picture
