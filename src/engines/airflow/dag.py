"""The DAG: made of the pipeline's graph, with a sensor before it. For Airflow's environment; it imports no TFX."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import (
    DAG,
    BaseOperator,
    BaseSensorOperator,
    Context,
    CronDataIntervalTimetable,
    DagRunState,
    Param,
    timezone,
)
from airflow.sdk.bases.skipmixin import SkipMixin
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from engines.airflow import alerts, graph, logs
from engines.airflow.calendar import Calendar
from engines.airflow.project import CONCLUDE, DECIDE, ROOT, Project, ProjectError
from engines.common import end_with_parent, last_words

BAD_DATA, SKIPPED = os.EX_DATAERR, 99
"""Exit statuses of `engines.airflow.step`, which cannot be imported for them: what it does needs TFX."""

DECISION = "decision"
"""The XCom of the task `decide`."""

MANUAL = "manual"
"""The type of a run that was triggered by hand."""

LAST_LINES = 200
"""Of what a step prints, so many lines are searched for the reason of its failure."""

DOC = """
**What it does.** For each {unit} of {when}: waits for its data, learns from the {unit}s before it, judges the candidate on the {unit} itself and against the
model in service, and pushes it if it is blessed. A task is a node of the TFX pipeline.

**Start it** with the switch: the {unit}s that have passed are run one after the other. Or trigger one run with the button, and name its
{unit}s in the form.

**When a task has failed**, its log ends with the reason. Mend it, and clear the task: it is run again, and what follows it. `alerts.log` in AIRFLOW_HOME
has a line for each. Bad data are not tried again by themselves; anything else is.
"""
"""What the web page shows under "Dag Docs"."""


def make_dag(
    dag_id: str,
    *,
    pipeline: str = "",
    config: str = "",
    calendar: Calendar | None = None,
    python_path: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    history: int = Project.history,
    decide: str = "",
    conclude: str = "",
    retries: int = 2,
    retry_delay: datetime.timedelta = datetime.timedelta(seconds=30),
    project: Project | None = None,
) -> DAG:
    """A DAG that runs a pipeline for each span of the data, one after the other.

    Args:
        dag_id: its name in Airflow.
        pipeline: `module:function`, which makes the `tfx.dsl.Pipeline` of a configuration.
        config: `module:class` of the configuration.
        calendar: which spans there are.
        python_path: folders with packages that are not installed.
        settings: fields of the configuration that differ from its defaults.
        history: how many spans before the one that is judged are learned from, at most.
        decide: `module:function`, asked before the pipeline whether it is to run; where it is not, all nodes are skipped (`engines.deciding`).
        conclude: `module:function`, told when it has come to its end.
        retries: how often a step that failed is tried again, unless its data are bad.
        retry_delay: before that.
        project: instead of all that says which pipeline is run.

    Raises:
        ProjectError: the pipeline cannot be made. The web page shows it above the list of DAGs.
    """
    project = project or Project(
        pipeline, config, calendar, tuple(python_path), settings or {}, history, decide, conclude
    )
    calendar = project.calendar
    with DAG(
        dag_id,
        description=f"{project.pipeline} for each {calendar.unit}, once its data have arrived",
        # A run belongs to the span that ends when it starts; the expression alone would give it the moment of its start as its date.
        schedule=CronDataIntervalTimetable(calendar.schedule, timezone="UTC"),
        start_date=_moment(calendar, calendar.first),
        end_date=_moment(calendar, calendar.last),
        catchup=True,  # the spans that are over are run as well
        # A span is held against the model of the one before it; and the metadata store is an SQLite file, for one writer.
        max_active_runs=1,
        max_active_tasks=1,
        params={calendar.field: Param("", type="string", **calendar.example)},
        default_args={
            "retries": retries,
            "retry_delay": retry_delay,
            "on_failure_callback": alerts.tell,
            "execution_timeout": datetime.timedelta(hours=1),
        },
        doc_md=DOC.format(unit=calendar.unit, when=calendar.when),
        tags=["tfx"],
    ) as dag:
        wait = SpanSensor(
            task_id=f"wait_for_{calendar.unit}",
            project=project,
            mode="reschedule",  # between two looks it holds no worker
            poke_interval=30,
            timeout=datetime.timedelta(days=7).total_seconds(),
            retries=0,
        )
        steps = add_steps(project)
        first = [step for step in steps.values() if not step.upstream_list]
        last = [step for step in steps.values() if not step.downstream_list]
        if project.decide:
            wait >> DecideOperator(task_id=DECIDE, project=project) >> first
        else:
            wait >> first
        if project.conclude:
            last >> AskOperator(task_id=CONCLUDE, project=project)
    return dag


def _moment(calendar: Calendar, span: int) -> datetime.datetime:
    date = calendar.date_of(span)
    return timezone.datetime(date.year, date.month, date.day)


def add_steps(project: Project) -> dict[str, StepOperator]:
    """A task for each node of the pipeline, joined as the nodes are; call it within a `with DAG(...)`.

    Raises:
        ProjectError: the pipeline cannot be made.
    """
    found = graph.read(project)
    steps = {node: StepOperator(task_id=node, project=project) for node in found.upstream}
    for node, before in found.upstream.items():
        steps[node].set_upstream([steps[one] for one in before])
    return steps


class StepOperator(BaseOperator):
    """Runs the node that has the task's name, in a process of the environment that has TFX."""

    ui_color = "#e8f0fb"

    def __init__(self, *, project: Project, node: str = "", **kwargs: Any) -> None:
        """Keeps what is to be run.

        Args:
            project: the pipeline.
            node: its node; without one, that with the name of the task.
            kwargs: as of any operator of Airflow.
        """
        super().__init__(**kwargs)
        self.project, self.node = project, node or self.task_id
        self._process: subprocess.Popen | None = None

    def execute(self, context: Context) -> str:
        """Runs the step, and logs what it prints.

        Returns:
            `done` or `cached`.

        Raises:
            AirflowFailException: the data are bad, or the spans: no retry would help.
            AirflowSkipException: the node need not run.
            AirflowException: anything else; the message is the reason that the step gave.
        """
        command = self.command(context)
        with logs.keeper(context["ti"]) as keep:
            return self._run(command, keep)

    def _run(self, command: list[str], keep: Callable[[str], None]) -> str:
        said: deque[str] = deque(maxlen=LAST_LINES)
        self._say(" ".join(command), keep)
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=graph.environment(self.project),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=end_with_parent,
        )
        for line in self._process.stdout:
            self._say(line.rstrip(), keep)
            said.append(line)
        return self._judge(self._process.wait(), "".join(said))

    def _say(self, line: str, keep: Callable[[str], None]) -> None:
        self.log.info("%s", line)
        keep(line)

    def command(self, context: Context) -> list[str]:
        """What is run, for the spans and the run of this context."""
        first, last = self.spans(context)
        project = Path(os.environ["AIRFLOW_HOME"]) / "projects" / f"{self.dag_id}.json"
        self.project.save(project)
        return [
            *(graph.python(), "-m", "engines.airflow.step", self.node),
            *(
                "--run",
                context["run_id"],
                f"--{self.project.calendar.field}",
                f"{first}-{last}",
                "--project",
                str(project),
            ),
        ]

    def spans(self, context: Context) -> tuple[int, int]:
        """Those that the project has decided on, or else those of the calendar."""
        told = self.project.decide and context["ti"].xcom_pull(task_ids=DECIDE, key=DECISION)
        return tuple(told["spans"]) if told and told["spans"] else _spans(self.project, context)

    def _judge(self, status: int, said: str) -> str:
        if status == 0:
            return said.strip().rpartition(": ")[2]
        if status == SKIPPED:
            raise AirflowSkipException(f"{self.node} need not run.")
        if status < 0:
            raise AirflowException(f"{self.node} was killed by signal {-status}.")
        kind = AirflowFailException if status == BAD_DATA else AirflowException
        raise kind(f"{self.node} failed: {last_words(said)}")

    def on_kill(self) -> None:
        """Ends the step with its task."""
        if self._process and self._process.poll() is None:
            self._process.kill()


class AskOperator(StepOperator):
    """Asks a function of the project, and gives what it says."""

    ui_color = "#f3e8fb"

    def _judge(self, status: int, said: str) -> str:
        super()._judge(status, said)
        return said.strip().splitlines()[-1].removeprefix(f"{self.node}: ")


class DecideOperator(AskOperator, SkipMixin):
    """Asks the project whether the pipeline is to run; if not, all that follows is skipped, and the run has succeeded."""

    def execute(self, context: Context) -> None:
        """Asks, and keeps the answer as the XCom `decision`: whether, the reason, and the spans.

        Raises:
            DownstreamTasksSkipped: it is not to run.
            AirflowException: as of any step.
        """
        answer = json.loads(super().execute(context))
        context["ti"].xcom_push(key=DECISION, value=answer)
        if not answer["run"]:
            self.skip(context["ti"], self.get_flat_relatives(upstream=False))

    def spans(self, context: Context) -> tuple[int, int]:
        """Those of the calendar."""
        return _spans(self.project, context)


class SpanSensor(BaseSensorOperator):
    """Waits until the file of the run's last span has arrived; fails if the run before it did not go well."""

    ui_color = "#fdf3dc"

    def __init__(self, *, project: Project, **kwargs: Any) -> None:
        """Keeps whose span is waited for.

        Args:
            project: says where the data are.
            kwargs: as of any sensor of Airflow.
        """
        super().__init__(**kwargs)
        self.project = project

    def poke(self, context: Context) -> bool:
        """One look.

        Raises:
            AirflowFailException: the run of the span before has failed, or there is no such span.
        """
        _require_previous(context)
        _, last = _spans(self.project, context)
        found = self.project.file_of(last)
        self.log.info(
            "%s %d: %s", self.project.calendar.unit.capitalize(), last, found or f"not in {self.project.data_root} yet"
        )
        return found is not None


def _spans(project: Project, context: Context) -> tuple[int, int]:
    try:
        # A run that was triggered by hand need not have a date.
        return project.spans(context.get("logical_date"), context["params"].get(project.calendar.field) or "")
    except ProjectError as error:
        raise AirflowFailException(str(error)) from None


def _require_previous(context: Context) -> None:
    """Fails when the run of the span before has failed: a span is held against the model of the one before it.

    Airflow's own `depends_on_past` would wait instead; with one active run at a time the one that waits would keep the failed one, once
    it is mended and cleared, from ever starting.
    """
    if context["dag_run"].run_type == MANUAL:
        return
    previous = context["ti"].get_previous_dagrun()
    if previous and previous.run_type != MANUAL and previous.state == DagRunState.FAILED:
        month = f"{previous.logical_date:%Y-%m}"
        raise AirflowFailException(
            f"The run of {month} has failed. Mend what it says, clear its failed task, and when it has succeeded, clear this one."
        )
