"""Everything about a pipeline run that somebody may want to change."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from engines import places
from engines.settings import InOutputRoot

from .columns import DERIVED, FILE
from .plan import COST, Demand, Plan, is_number, refuse_contradictions

__all__ = ["Config", "Demand", "Plan"]

SCHEMA_FOLDER = Path(__file__).parent / "schema"

DERIVED_SLICES = tuple(DERIVED)
"""Columns of slices that `slicing` derives: from the scheduled departure."""

BARS = ("min_auc", "min_slice_auc", "max_auc_loss", "max_slice_auc_loss", "guarded")
"""Settings that say what a candidate must show where there is no plan."""

DOCKER = "docker"
"""By TFX's InfraValidator, instead of InfraCheck."""

BLESSED, CHAMPION = "blessed", "champion"
"""What a candidate is held against: the latest blessed model, or the one in service."""

LARGEST_SEED = 2**32 - 1
"""NumPy takes no greater one, and Keras sets NumPy's."""


@dataclasses.dataclass(frozen=True)
class Config(InOutputRoot):
    """What one run of the pipeline reads, trains and demands.

    Attributes:
        data_root: folder with `span-01/flights.csv` to `span-12/flights.csv`.
        output_root: folder of this pipeline's own: artifacts, metadata store, pushed models.
        pipeline_name: the name in the metadata store; runs of one name share cache and baseline.
        months: first and last month to use, both included. With one month, whole days are drawn for evaluation; with
            several, the last month is for evaluation and those before it are for training.
        reader: `arrow` checks the files and reads them with Arrow; `csv` is TFX's own `CsvExampleGen`, behind the same check.
        schema_file: the curated schema: the contract that the data must meet.
        materialize: Transform writes the transformed examples, to be looked at and to be read by every training; without, it
            writes the graph only and the Trainer takes raw examples through it: faster where one training reads them.
        train_epochs: passes over the training examples.
        batch_size: examples a training step.
        learning_rate: of the Adam optimiser.
        hidden_units: width of each hidden layer; none make a linear model.
        dropout: share of hidden units that are silenced in a training step.
        l2: weight of the penalty on large weights. The defaults are for a few thousand flights.
        seed: of initial weights and of the order of examples.
        plan: what is demanded of a candidate (`plan`), instead of the five settings of `BARS`; it is refused beside them. These
            are for a first run on a few hundred flights, where chance moves much.
        min_auc: no model below this area under the ROC curve is blessed,
        min_slice_auc: nor one below this on the flights of any one airport,
        max_auc_loss: nor one that loses more than this against the latest blessed model on the same flights;
            below 0, it demands a gain.
        max_slice_auc_loss: nor one that loses more than this on the flights of any one airport; None: no such demand.
        demands: what is demanded beside that, or beside the plan.
        slices: columns whose values, or combinations of values, form the slices that are measured: those of the data and
            `DERIVED_SLICES`.
        guarded: those of the slices of which `min_slice_auc` and `max_slice_auc_loss` are demanded.
        confidence_intervals: estimate for each metric how far chance moves it, with draws that are others in each run.
            `jackknife`, or True: its time grows with the number of slices; `bootstrap`: with the number of flights. Each takes
            several times as long as the metrics.
        baseline: what a candidate is held against: `blessed`, the latest blessed model; or `champion`, the model in service: the version that
            the traffic file names, or else the newest (`serving.in_service`).
        enable_cache: reuse the artifacts of an earlier execution with the same inputs.
        tune: search for better hyperparameters first (`tuner`), and train with the best.
        tuner_trials: how many combinations are tried; the first is that of these settings.
        warm_start: go on from the latest blessed model (`warm_start`), where there is one, instead of from random weights.
        infra_check: a candidate is served and asked before it is pushed: by the course's own model server (True, `serving.infra_check`), or, with
            `docker`, by TFX's InfraValidator and TensorFlow Serving in a container of this machine.
        tracking_uri: MLflow store that each run is logged to, for example `sqlite:///out/mlflow.db`, or a server's address,
            without a password (`engines.places`); empty: no logging.
        run_name: what the run is called there; empty: its months.
    """

    data_root: str = "data/flights"
    output_root: str = f"out/pipelines/{__package__}"
    pipeline_name: str = __package__
    months: tuple[int, int] = (1, 1)
    reader: str = "arrow"
    schema_file: str = str(SCHEMA_FOLDER / "schema.pbtxt")
    materialize: bool = True
    train_epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 3e-3
    hidden_units: tuple[int, ...] = (16,)
    dropout: float = 0.3
    l2: float = 3e-3
    seed: int = 13
    plan: Plan | None = None
    min_auc: float = 0.55
    min_slice_auc: float = 0.5
    max_auc_loss: float = 0.01
    max_slice_auc_loss: float | None = None
    demands: tuple[Demand, ...] = ()
    slices: tuple[tuple[str, ...], ...] = (("origin",),)
    guarded: tuple[tuple[str, ...], ...] = (("origin",),)
    confidence_intervals: bool | str = False
    baseline: str = BLESSED
    enable_cache: bool = True
    tune: bool = False
    tuner_trials: int = 8
    warm_start: bool = False
    infra_check: bool | str = False
    tracking_uri: str = ""
    run_name: str = ""

    def __post_init__(self) -> None:
        """Refuses what cannot work, before anything runs."""
        self._refuse_wrong_kinds()
        self._find_places()
        first, last = self.months
        if not 1 <= first <= last <= 12:
            raise ValueError(f"months={self.months}: the first must not be after the last, both from 1 to 12.")
        if self.reader not in ("arrow", "csv"):
            raise ValueError(f"reader={self.reader!r}: choose 'arrow' or 'csv'.")
        if self.baseline not in (BLESSED, CHAMPION):
            raise ValueError(f"baseline={self.baseline!r}: choose {BLESSED!r} or {CHAMPION!r}.")
        for name in ("train_epochs", "batch_size", "tuner_trials"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: at least 1.")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"seed={self.seed}: a whole number from 0 to {LARGEST_SEED}.")
        if not all(units >= 1 for units in self.hidden_units):
            raise ValueError(f"hidden_units={self.hidden_units}: each layer has at least 1 unit.")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate}: greater than 0.")
        if not self.l2 >= 0:
            raise ValueError(f"l2={self.l2}: 0 or greater.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout}: a share, from 0 to less than 1.")
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.pipeline_name):
            raise ValueError(f"pipeline_name={self.pipeline_name!r}: letters, digits, and - _ . between them.")
        self._refuse_wrong_demands()

    def _refuse_wrong_kinds(self) -> None:
        """Each setting is of the kind of its default: no text for a number, no number for True, nothing that is not a number."""
        for field in dataclasses.fields(Config):
            value, default = getattr(self, field.name), field.default
            wanted = _KINDS.get(type(default)) if field.name not in ("confidence_intervals", "infra_check") else None
            if wanted and not wanted[0](value):
                shown = "" if field.name == "tracking_uri" else f"={value!r}"  # there may be a password in it
                raise ValueError(f"{field.name}{shown}: {wanted[1]}.")
        if not _is_tuple_of(self.months, _is_whole) or len(self.months) != 2:
            raise ValueError(f"months={self.months!r}: two whole numbers, the first month and the last: (1, 3).")
        if not _is_tuple_of(self.hidden_units, _is_whole):
            raise ValueError(f"hidden_units={self.hidden_units!r}: a whole number for each layer: (64, 32).")
        if self.confidence_intervals not in (False, True, "jackknife", "bootstrap") or _is_whole(
            self.confidence_intervals
        ):
            raise ValueError(f"confidence_intervals={self.confidence_intervals!r}: 'jackknife', 'bootstrap', or False.")
        if self.infra_check not in (False, True, DOCKER) or _is_whole(self.infra_check):
            raise ValueError(f"infra_check={self.infra_check!r}: True, {DOCKER!r}, or False.")

    def _find_places(self) -> None:
        """Paths are of this machine, with `~` written out; the tracking store's address holds no secret."""
        found = {name: places.local_path(name, getattr(self, name)) for name in ("data_root", "output_root")}
        if not self.schema_file.startswith(places.IN_PACKAGE):
            found["schema_file"] = places.local_path("schema_file", self.schema_file, is_file=True)
        if self.tracking_uri:
            found["tracking_uri"] = places.tracking_address(self.tracking_uri)
        for name, place in found.items():
            object.__setattr__(self, name, place)

    def _refuse_wrong_demands(self) -> None:
        """What is demanded can be met and missed, on slices that the data can have."""
        for name in ("min_auc", "min_slice_auc"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}: an area under the ROC curve is between 0 and 1.")
        for name in ("max_auc_loss", "max_slice_auc_loss"):
            loss = getattr(self, name)
            if not (loss is None and name == "max_slice_auc_loss") and not (is_number(loss) and -1 <= loss <= 1):
                raise ValueError(f"{name}={loss!r}: a difference of two areas, between -1 and 1.")
        if not _is_tuple_of(self.demands, lambda one: isinstance(one, Demand)):
            raise ValueError(f"demands={self.demands!r}: a tuple of Demand, as in (Demand('AUC', at_most=0.8),).")
        if self.plan is not None and not isinstance(self.plan, Plan):
            raise ValueError(f"plan={self.plan!r}: a Plan, for example Plan.load('plan.json').")
        if any(demand.metric == COST for demand in self.demands) and (self.plan is None or self.plan.costs is None):
            raise ValueError(f"demands: {COST} needs prices; give a plan that has `costs`.")
        beside = [name for name in BARS if getattr(self, name) != getattr(Config, name)]
        if self.plan is not None and beside:
            raise ValueError(
                f"{beside[0]}={getattr(self, beside[0])!r}: the plan says what is demanded; change it there."
            )
        known = schema_columns(self.schema_file)
        planned = self.plan.demands if self.plan is not None else ()
        for name, several in {"slices": self.slices, "guarded": self.guarded}.items():
            if not isinstance(several, tuple):
                raise ValueError(f"{name}={several!r}: a tuple of slices, as in (('origin',),).")
        for by in [*self.slices, *self.guarded, *(demand.by for demand in [*planned, *self.demands])]:
            right = _is_tuple_of(by, lambda one: isinstance(one, str)) and len(set(by)) == len(by)
            if not right or (known and not set(by) <= known):
                raise ValueError(
                    f"{by!r} forms no slices: write columns of the data, or {', '.join(DERIVED_SLICES)}: ('origin',)."
                )
        values = schema_values(self.schema_file)
        for demand in [*planned, *self.demands]:
            if unknown := sorted(set(demand.only) - values.get(demand.by[0], set(demand.only)) if demand.only else ()):
                raise ValueError(
                    f"only={demand.only!r}: by the schema, no data have {demand.by[0]} {', '.join(map(repr, unknown))}."
                )
        floors = [Demand("AUC", by, at_least=self.min_slice_auc) for by in self.guarded]
        bars = [Demand("AUC", at_least=self.min_auc), *floors] if self.plan is None else planned
        refuse_contradictions([*bars, *self.demands])

    @classmethod
    def of_settings(cls, **settings: Any) -> Config:
        """A configuration from plain data, such as `dataclasses.asdict` gives and an engine keeps.

        Raises:
            TypeError: there is no such setting.
            ValueError: a value cannot be.
        """
        if "demands" in settings:
            settings["demands"] = tuple(
                Demand(**{name: tuple(value) if isinstance(value, list) else value for name, value in demand.items()})
                for demand in settings["demands"]
            )
        if settings.get("plan"):
            settings["plan"] = Plan.of(settings["plan"])
        return cls(**settings)

    def require_inputs(self) -> None:
        """What an engine asks before it runs anything (`inputs`).

        Raises:
            PermissionError: the tracking store cannot be written.
            data.DataError: a month is missing.
        """
        from . import inputs  # with pandas and Arrow, which Airflow's environment lacks

        inputs.require(self)

    def portable(self) -> Config:
        """The same run for a container, which finds the schema by its package.

        Raises:
            ValueError: the schema lies outside a package, or a Docker engine is needed, which no container has.
        """
        if self.infra_check == DOCKER:
            raise ValueError("infra_check='docker': in a container there is no Docker engine. Write infra_check=True.")
        if self.schema_file == Config.schema_file:
            return dataclasses.replace(self, schema_file=f"{places.IN_PACKAGE}{__package__}/schema/schema.pbtxt")
        if not self.schema_file.startswith(places.IN_PACKAGE):
            raise ValueError(
                f"schema_file={self.schema_file!r}: a container cannot read it. "
                f"Put it into a package of the image, and name it {places.IN_PACKAGE}PACKAGE/FILE."
            )
        return self

    @property
    def volume(self) -> str:
        """The claim on Kubernetes for what outlives a run; every step mounts it at `/mnt/flights`, or by the name of another package."""
        return __package__.replace("_", "-")

    @property
    def train_splits(self) -> list[str]:
        """Names of the splits that the model learns from."""
        return ["train"] if self.is_single_month else [name for name, _ in self.month_splits[:-1]]

    @property
    def eval_splits(self) -> list[str]:
        """Names of the splits that the model is judged on."""
        return ["eval"] if self.is_single_month else [self.month_splits[-1][0]]

    @property
    def is_single_month(self) -> bool:
        """Whether there is but one month, so that its days are divided instead of the months."""
        return self.months[0] == self.months[1]

    @property
    def month_splits(self) -> list[tuple[str, str]]:
        """Name and file pattern of each split, when there are several months: those for training, then the last month.

        The months for training are one split, or two where they cross from September to October: a pattern can say
        `span-0[1-9]`, but not `span-0[1-9] or span-1[0-1]`. Few splits, because each costs every Beam component time.
        """
        first, last = self.months
        train = [(first, min(last - 1, 9)), (max(first, 10), last - 1)]
        return [_month_split(*months) for months in [*train, (last, last)] if months[0] <= months[1]]


def schema_columns(schema_file: str) -> set[str]:
    """The columns that slices may name: those of the schema and the derived ones; empty where it cannot be read here.

    Read without TFX, which not every process that makes a configuration has. What stands in a comment is left out.
    """
    text = _schema_text(schema_file)
    found = set(re.findall(r"""^feature\s*:?\s*\{\s*name\s*:\s*["']([^"']+)["']""", text, flags=re.MULTILINE))
    return found | set(DERIVED_SLICES) if found else set()


def schema_values(schema_file: str) -> dict[str, set[str]]:
    """The values of columns of which the schema lists all; read as `schema_columns` reads."""
    blocks = re.findall(
        r"^(feature|string_domain)\s*:?\s*\{(.*?)^\}", _schema_text(schema_file), re.MULTILINE | re.DOTALL
    )
    quoted = r"""^\s*{}\s*:\s*["']([^"']*)["']"""
    domains, columns = {}, {}
    for kind, block in blocks:
        names = re.findall(quoted.format("name"), block, re.MULTILINE)
        if kind == "string_domain":
            domains[names[0]] = set(re.findall(quoted.format("value"), block, re.MULTILINE))
        elif "min_domain_mass" not in block:  # else, values beside those listed may occur
            columns[names[0]] = (*re.findall(quoted.format("domain"), block, re.MULTILINE), "")[0]
    return {column: domains[domain] for column, domain in columns.items() if domain in domains}


def _schema_text(schema_file: str) -> str:
    """The schema without its comments; empty where it cannot be read here."""
    if not Path(schema_file).is_file():
        return ""
    return re.sub(r"^\s*#.*$", "", Path(schema_file).read_text(errors="replace"), flags=re.MULTILINE)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_tuple_of(value: Any, kind: Any) -> bool:
    return isinstance(value, tuple) and all(kind(one) for one in value)


_KINDS: dict[type, tuple[Any, str]] = {
    bool: (lambda value: isinstance(value, bool), "True or False"),
    int: (_is_whole, "a whole number"),
    float: (is_number, "a number"),
    str: (lambda value: isinstance(value, str), "a text"),
}
"""By the type of a default: what a value must be, and the words for it."""


def _month_split(first: int, last: int) -> tuple[str, str]:
    """Split name and file pattern for months of the same tens, for example `months-01-03` and `span-0[1-3]/flights.csv`."""
    tens, start, end = first // 10, first % 10, last % 10
    name = f"month-{first:02d}" if first == last else f"months-{first:02d}-{last:02d}"
    return name, f"span-{tens}[{start}-{end}]/{FILE}"
