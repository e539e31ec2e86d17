"""Views of components, executions, the pipeline's graph and the metadata store."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from course import views
from course.views import component_view, graph_layout, metadata_tables, pipeline_graph

FLIGHTS = {
    "CsvExampleGen": "",
    "StatisticsGen": "CsvExampleGen",
    "ImportSchemaGen": "",
    "ExampleValidator": "StatisticsGen ImportSchemaGen",
    "Transform": "CsvExampleGen ImportSchemaGen",
    "Trainer": "Transform ImportSchemaGen",
    "LatestBlessedModel": "",
    "Evaluator": "CsvExampleGen Trainer LatestBlessedModel",
    "Pusher": "Trainer Evaluator",
}


class Channel(SimpleNamespace):
    """What TFX's channels have of use to a view."""

    def get(self) -> list[Any]:
        return self.held

    def get_data_dependent_node_ids(self) -> set[str]:
        return set(self.makers)


def channel(kind: str, *makers: str, held: list[Any] | None = None) -> Channel:
    return Channel(type_name=kind, makers=makers, held=held or [])


def node(name: str, needs: str = "", outputs: dict[str, Any] | None = None, **settings: Any) -> Any:
    inputs = {f"from_{maker}": channel("Thing", maker) for maker in needs.split()}
    return SimpleNamespace(id=name, inputs=inputs, outputs=outputs or {}, exec_properties=settings, upstream_nodes=())


def flights() -> dict[str, Any]:
    return {name: node(name, needs) for name, needs in FLIGHTS.items()}


# --- a component and its execution


def execution(folder: Path, number: int, run: int) -> Any:
    """What InteractiveContext returns for execution `run`, with an output that execution `number` made."""
    artifact = mlmd.Artifact(type="Model", uri=str(folder / "Trainer" / "model" / str(number)))
    Path(artifact.uri).mkdir(parents=True)
    trainer = node("Trainer", "Transform", {"model": channel("Model", held=[artifact])}, run_fn="flights.model.run_fn")
    return SimpleNamespace(component=trainer, execution_id=run)


def test_an_execution_shows_what_it_read_how_it_was_set_and_what_it_wrote(tmp_path: Path) -> None:
    text = repr(views.execution(execution(tmp_path, 7, 7)))
    assert [line.split() for line in text.splitlines()] == [
        ["Trainer", "done"],
        ["reads", "from_Transform", "Thing", "of", "Transform"],
        ["configuration", "run_fn", "flights.model.run_fn"],
        ["writes", "model", "Model"],
    ]


def test_an_execution_that_reuses_an_earlier_result_is_cached(tmp_path: Path) -> None:
    assert repr(views.execution(execution(tmp_path, 7, 9))).startswith("Trainer  cached")


def test_a_component_before_its_run_says_so() -> None:
    text = repr(views.component(node("Trainer", outputs={"model": channel("Model")})))
    assert text.startswith("Trainer  not run")
    assert "Model, not yet" in text


def test_settings_show_no_path_of_a_machine_and_no_empty_ones() -> None:
    settings = {
        "input_base": "/home/me/course/data/flights",
        "relative": "../data/flights",
        "train_args": '{\n  "num_steps": 100\n}',
        "nothing": None,
        "null": "null",
        "input_fingerprint": "xor_checksum:1795451267",
        "contents": '{"all": {"span-01/flights.csv": "0123456789abcdef01234567"}}',
        "fingerprint": "0123456789abcdef01234567",
        "custom_config": '{"source": "0123456789abcdef01234567"}',
        "module": '{"source": "0123456789abcdef01234567", "name": "a"}',
        "span": 0,
        "long": "x" * 500,
    }
    found = component_view.configuration(node("Gen", **settings))
    assert found == {
        "input_base": "…/flights",
        "relative": "../data/flights",
        "train_args": "{num_steps: 100}",
        "module": "{name: a}",
        "long": "x" * 89 + "…",
    }


# --- the graph


def test_layout_puts_every_node_after_what_it_needs_and_nothing_on_top_of_anything() -> None:
    parents = {name: set(needs.split()) for name, needs in FLIGHTS.items()}
    layout = graph_layout.arrange(parents)
    for name, needs in parents.items():
        assert all(layout.layer[parent] < layout.layer[name] for parent in needs)
    taken = [{(layer, layout.row[name])} for name, layer in layout.layer.items()]
    taken += [
        {(layer, row) for layer in range(layout.layer[name] + 1, last + 1)}
        for name, (row, last) in layout.lines.items()
    ]
    assert all(not one & other for one, other in combinations(taken, 2))


def test_a_chain_is_one_straight_row() -> None:
    layout = graph_layout.arrange({"a": set(), "b": {"a"}, "c": {"b"}, "d": {"c"}})
    assert layout.layer == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert set(layout.row.values()) == {0}


def test_layout_is_the_same_each_time() -> None:
    parents = {name: set(needs.split()) for name, needs in FLIGHTS.items()}
    assert graph_layout.arrange(parents) == graph_layout.arrange(
        {name: set(sorted(needs)) for name, needs in parents.items()}
    )


def test_a_circle_is_an_error() -> None:
    with pytest.raises(ValueError, match="a, b"):
        graph_layout.arrange({"a": {"b"}, "b": {"a"}})


def test_the_graph_tells_what_depends_on_what_and_how_it_went() -> None:
    nodes = flights()
    nodes["Trainer"].upstream_nodes = (nodes["ExampleValidator"],)
    view = views.pipeline(nodes, {"CsvExampleGen": "cached", "StatisticsGen": "done", "ExampleValidator": "failed"})
    assert "CsvExampleGen comes first (cached)" in view.alt
    assert "ExampleValidator needs StatisticsGen, ImportSchemaGen (failed)" in view.alt
    assert "Trainer needs ImportSchemaGen, ExampleValidator, Transform (not run)" in view.alt
    assert view.figure.course_title == "The pipeline: ExampleValidator failed, 1 done, 1 cached, 6 not run"
    assert view._repr_mimebundle_()[0]["text/plain"] == view.alt


def test_the_graph_without_results_shows_phases_and_no_states() -> None:
    view = views.pipeline(list(flights().values()))
    words = [text.get_text() for text in view.figure.axes[0].texts]
    assert {"Data", "Model", "Deployment"} <= set(words)
    assert "not run" not in " ".join(words)


def test_results_of_an_unknown_component_are_an_error() -> None:
    with pytest.raises(KeyError, match="Trainr"):
        views.pipeline(flights(), {"Trainr": "done"})


def test_results_of_the_interactive_context_are_understood(tmp_path: Path) -> None:
    assert (
        "Trainer needs ImportSchemaGen, Transform (cached)"
        in views.pipeline(flights(), [execution(tmp_path, 7, 9)]).alt
    )


def test_reports_of_a_runner_are_understood() -> None:
    reports = [SimpleNamespace(node="CsvExampleGen", state="cached", seconds=0.25)]
    view = views.pipeline(flights(), reports, times=True)
    assert "CsvExampleGen comes first (cached)" in view.alt
    assert "cached, 0.2 s" in [text.get_text() for text in view.figure.axes[0].texts]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("ExampleValidator", ["Example", "Validator"]),
        ("CsvExampleGen", ["Csv", "ExampleGen"]),
        ("Pusher", ["Pusher"]),
        ("my_component_name", ["my_component", "_name"]),
    ],
)
def test_long_names_are_broken_where_a_word_begins(name: str, lines: list[str]) -> None:
    assert "".join(pipeline_graph.two_lines(name)) == name
    assert pipeline_graph.two_lines(name) == lines


# --- the metadata store


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """Two runs of two components: all well, then the first cached and the second failed."""
    path = tmp_path / "metadata.sqlite"
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    store = metadata_store.MetadataStore(config)
    kinds = {name: store.put_execution_type(mlmd.ExecutionType(name=f"tfx.{name}")) for name in ("Gen", "Trainer")}
    examples = store.put_artifact_type(mlmd.ArtifactType(name="Examples"))
    model = store.put_artifact_type(mlmd.ArtifactType(name="Model"))
    of_run = store.put_context_type(mlmd.ContextType(name="pipeline_run"))
    of_node = store.put_context_type(mlmd.ContextType(name="node"))
    state, event = mlmd.Execution, mlmd.Event
    made: dict[str, int] = {}

    def execute(component: str, run: str, ended: int, *links: tuple[str, int, int]) -> None:
        contexts = [mlmd.Context(type_id=of_run, name=run), mlmd.Context(type_id=of_node, name=f"flights.{component}")]
        pairs = []
        for name, kind, direction in links:
            artifact = mlmd.Artifact(type_id=kind, uri=str(tmp_path / name))
            if name in made:
                artifact.id = made[name]
            pairs.append((artifact, event(type=direction)))
        execution = mlmd.Execution(type_id=kinds[component], last_known_state=ended)
        _, numbers, _ = store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)
        made.update(zip((name for name, _, _ in links), numbers, strict=True))

    execute("Gen", "run-1", state.COMPLETE, ("examples", examples, event.OUTPUT))
    execute("Trainer", "run-1", state.COMPLETE, ("examples", examples, event.INPUT), ("model", model, event.OUTPUT))
    execute("Gen", "run-2", state.CACHED, ("examples", examples, event.OUTPUT))
    execute("Trainer", "run-2", state.FAILED, ("examples", examples, event.INPUT))
    return path


def test_the_store_shows_executions_and_lineage_without_times_and_paths(store_path: Path) -> None:
    view = views.store(store_path)
    lines = [line.split() for line in repr(view).splitlines()]
    assert lines[4:8] == [
        ["Gen", "done", "Examples"],
        ["Trainer", "done", "Examples", "Model"],
        ["Gen", "cached", "Examples"],
        ["Trainer", "failed", "Examples"],
    ]
    assert ["Model", "its", "folder", "is", "gone", "Trainer"] in lines
    assert str(store_path.parent) not in repr(view)


def test_the_last_run_is_told_apart_from_those_before(store_path: Path) -> None:
    assert {name: state for name, (state, _) in metadata_tables.last_run(store_path).items()} == {
        "Gen": "cached",
        "Trainer": "failed",
    }
    view = views.pipeline(
        {"Gen": node("Gen"), "Trainer": node("Trainer", "Gen"), "Pusher": node("Pusher", "Trainer")}, store_path
    )
    assert "Trainer needs Gen (failed); Pusher needs Trainer (not run)" in view.alt


def test_times_are_shown_only_when_asked_for(store_path: Path) -> None:
    nodes = {"Gen": node("Gen"), "Trainer": node("Trainer", "Gen")}
    for times in (False, True):
        figure = views.pipeline(nodes, store_path, times=times).figure
        words = [text.get_text() for text in figure.axes[0].texts]
        assert any(word.endswith(" s") for word in words) is times


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="A pipeline run makes it"):
        views.store(tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_store_is_no_error(tmp_path: Path) -> None:
    config = mlmd.ConnectionConfig()
    config.fake_database.SetInParent()
    store = metadata_store.MetadataStore(config)
    assert "0 in the store" in repr(views.store(store))
    assert metadata_tables.last_run(store) == {}
