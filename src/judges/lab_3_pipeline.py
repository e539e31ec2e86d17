"""Lab 3, pipeline: what it gives to the student, and its tasks.

January and February are the same for all. What is wrong with March, and the store that is inherited, depend on the student (`lab.seed`).
"""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_3 import inherited_store, months
from judges.lab_3.check_cache import judge_cache
from judges.lab_3.check_february import judge_february
from judges.lab_3.check_january import judge_january
from judges.lab_3.check_lineage import judge_lineage
from judges.lab_3.check_package import judge_package
from judges.lab_3.check_refused import judge_refused

PRELOAD = ("tensorflow", "tensorflow_metadata.proto.v0.anomalies_pb2", "ml_metadata")
"""What grading imports once, before it evaluates many submissions."""

SECONDS, CELL_SECONDS = 900, 300
"""What grading gives a submission, and each of its cells, by the clock and on one core: it runs whole pipelines."""


def data(lab: checks.Lab) -> list[str]:
    """Writes what the student starts from.

    Returns:
        A line for each folder: what is in it.
    """
    months.write(lab.workspace / "months", lab.seed)
    inherited_store.write(lab.workspace, lab.seed)
    return [
        "months/span-01, span-02: January and February, 2,000 flights each",
        "months/span-03: March, as the sender delivered it; something is wrong with it (task 5)",
        "inherited/metadata.sqlite: the metadata store of two pipelines that others have built (task 6)",
        "inherited/served.txt: the version of the pipeline `delays` that is served",
    ]


@checks.task("package", points=5, title="1. The package")
def my_package(lab: checks.Lab) -> None:
    """Four files with what an engine needs, and nothing of one machine."""
    judge_package(lab)


@checks.task("january", points=4, title="2. January")
def january(lab: checks.Lab, store: Any, version: Any) -> None:
    """A whole run, blessed and pushed."""
    judge_january(lab, store, version)


@checks.task("cache", points=4, title="3. The cache")
def cache(lab: checks.Lab, store: Any) -> None:
    """The same again from the cache; an edited function not."""
    judge_cache(lab, store)


@checks.task("february", points=4, title="4. February")
def february(lab: checks.Lab, store: Any) -> None:
    """A new month, held against January's model."""
    judge_february(lab, store)


@checks.task("refused", points=3, title="5. A month that is refused")
def refused(lab: checks.Lab, store: Any, column: Any) -> None:
    """March stops before anything is trained."""
    judge_refused(lab, store, column)


@checks.task("lineage", points=5, title="6. Lineage")
def lineage(lab: checks.Lab, store: Any, own: Any, inherited: Any) -> None:
    """What led to a served version, in two stores."""
    judge_lineage(lab, store, own, inherited)
