"""The steps of the pipeline `my_flights`, as commands that any program can start; delivered by lab 4.

Airflow imports this file whenever it reads your DAG, so it imports nothing itself. Leave it as it is: `lab.rehearse()` puts another in its place,
with the same names.
"""

STEPS = [
    "CsvExampleGen",
    "StatisticsGen",
    "ImportSchemaGen",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "LatestBlessedModel",
    "Evaluator",
    "Pusher",
]
"""The nodes of the pipeline; a step is one of them, run for one month."""

BAD_DATA = 65
"""Exit status of a step that cannot use the data: missing values, wrong units, a file that cannot be read. Any other but 0: anything else."""

MONTHS = "@MONTHS@"
"""The folder to which the months are delivered, as `span-01/flights.csv`, `span-02/flights.csv`, ..."""

ALERTS = "@ALERTS@"


def command(step: str, month: "int | str", run: str) -> "list[str]":
    """The program that does a step: a list, as `subprocess.run` takes it. `shlex.join` makes a line for a shell of it.

    Args:
        step: one of `STEPS`.
        month: 1 to 12, the month whose flights are new. In a template of Airflow it may be `"{{ ... }}"`.
        run: the name of the run. All steps of a run have the same; no two runs have.
    """
    return ["@PYTHON@", "@STEP@", step, "--run", run, "--months", str(month)]


def month_file(month: "int | str") -> str:
    """Where the file of a month is, once it has been delivered."""
    return f"{MONTHS}/span-{int(month):02d}/flights.csv"


def alert(text: str) -> None:
    """Calls a person. Here it writes a line to a file; at work it would be a message to the person on duty."""
    with open(ALERTS, "a", encoding="utf-8") as file:
        file.write(f"{text}\n")
