"""A compiled pipeline, read as data: its tasks, what they wait for, their containers and settings."""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import Any

import yaml

from course import checks

VERSION = "2.1.0"


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A specification.

    Attributes:
        shown: the file's name, for messages.
        text: all of it.
        body: its first document.
    """

    shown: str
    text: str
    body: dict[str, Any]

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """The tasks by their name."""
        return self.body["root"]["dag"]["tasks"]

    def component(self, task: str) -> dict[str, Any]:
        """What a task's component declares."""
        return self.body["components"][self.tasks[task]["componentRef"]["name"]]

    def container(self, task: str) -> dict[str, Any]:
        """Image, command, arguments and limits of a task."""
        return self.body["deploymentSpec"]["executors"][self.component(task)["executorLabel"]]["container"]

    def executor(self, task: str) -> str:
        """The class that the task runs."""
        arguments = [str(part) for part in self.container(task).get("args", [])]
        name = "--executor_class_path"
        return arguments[arguments.index(name) + 1] if name in arguments[:-1] else ""

    def setting(self, task: str, name: str) -> Any:
        """A setting of a task as it was compiled; None where it has none, or where the run gives it."""
        given = self.tasks[task].get("inputs", {}).get("parameters", {}).get(name, {})
        return given.get("runtimeValue", {}).get("constant") if isinstance(given, dict) else None

    def settings(self, task: str) -> dict[str, Any]:
        """All compiled settings of a task."""
        names = self.tasks[task].get("inputs", {}).get("parameters", {})
        found = {name: self.setting(task, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def source(self, task: str, name: str) -> tuple[str, str] | None:
        """The task and output that an input comes from."""
        given = self.tasks[task].get("inputs", {}).get("artifacts", {}).get(name, {}).get("taskOutputArtifact")
        return (given["producerTask"], given["outputArtifactKey"]) if given else None

    def waits_for(self, task: str) -> set[str]:
        """The tasks that one waits for directly."""
        return set(self.tasks[task].get("dependentTasks", []))

    def waits_for_all(self, task: str) -> set[str]:
        """The tasks that one waits for, directly or because others do."""
        found: set[str] = set()
        new = {task}
        while new := set().union(*map(self.waits_for, new)) - found:
            found |= new
        return found

    def cached(self, task: str) -> bool:
        """Whether the engine may take the task's outputs from an earlier run."""
        return self.tasks[task].get("cachingOptions", {}).get("enableCache") is True

    def find(self, ending: str) -> str | None:
        """The task whose executor's class path ends so, or contains it."""
        return next((task for task in self.tasks if ending in self.executor(task)), None)


KINDS = {
    "CsvExampleGen": ("flights.examples.", "csv_example_gen"),
    "StatisticsGen": ("statistics_gen.executor",),
    "ImportSchemaGen": ("flights.contract.", "import_schema"),
    "ExampleValidator": ("example_validator.executor",),
    "DataGate": ("flights.gate.",),
    "Transform": ("transform.executor",),
    "Trainer": ("trainer.executor",),
    "LatestBlessedModel": ("engines.kubeflow.baseline.",),
    "Evaluator": ("evaluator.executor",),
    "Pusher": ("pusher.executor",),
}
"""The steps, and what the class path of each one's executor contains."""


def steps(found: Compiled) -> dict[str, str]:
    """The task of each kind that is there."""
    return {
        kind: task
        for kind, parts in KINDS.items()
        if (task := next((found.find(part) for part in parts if found.find(part)), None))
    }


def order(found: Compiled) -> list[str]:
    """The tasks, each after those that it waits for, and otherwise by name."""
    done: list[str] = []
    while rest := sorted(task for task in found.tasks if task not in done):
        done += [task for task in rest if found.waits_for(task) <= set(done)] or rest
    return done


@functools.lru_cache(maxsize=16)
def parsed(text: str, shown: str) -> Compiled:
    """A specification of a text.

    Raises:
        checks.Wrong: it is none of version 2.1.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=loader)):
            raise checks.Wrong(f"`{shown}` has references in it (`*name`), which `compile_pipeline` never writes.")
        body = next(yaml.load_all(text, Loader=loader), None)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise checks.Wrong(f"`{shown}` is no YAML: {str(error)[:120]}") from error
    if not isinstance(body, dict) or "pipelineInfo" not in body:
        raise checks.Wrong(f"`{shown}` is no compiled pipeline: it has no `pipelineInfo`.")
    if body.get("schemaVersion") != VERSION:
        raise checks.Wrong(
            f"`{shown}` is of version {str(body.get('schemaVersion'))[:20]!r} of the format. The open-source backend takes {VERSION}."
        )
    found = Compiled(shown, text, body)
    try:
        for task in found.tasks:
            found.container(task), found.executor(task), found.settings(task), found.waits_for(task)
            found.cached(task)
            for name in found.tasks[task].get("inputs", {}).get("artifacts", {}):
                found.source(task, name)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise checks.Wrong(
            f"`{shown}` has a task without what a task needs ({type(error).__name__}: {str(error)[:60]}). Is it as `compile_pipeline` wrote it?"
        ) from error
    return found


def json_of(value: Any) -> Any:
    """What a setting that holds JSON says; None for any other."""
    try:
        return json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None
