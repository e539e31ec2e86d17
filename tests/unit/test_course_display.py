"""`course.show`, `course.explore`, the progress bar, and the views as IPython shows them."""

from __future__ import annotations

import contextlib
import inspect
import io
import linecache
import sys
import threading
import time
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib import pyplot
from PIL import Image

import course
from course import controls, display, formatters, live, progress, style
from course.views.html import View


class Shown(list):
    """Stands in for IPython's `display`: keeps what is displayed, and each update."""

    made = 0
    """How often something new was displayed; the rest are updates."""

    def __call__(self, data: Any, metadata: Any = None, raw: bool = False, display_id: Any = None, **rest: Any) -> Any:
        self.made += 1
        self.append((data, metadata or {}))
        return self if display_id else None

    def update(self, data: Any, metadata: Any = None, raw: bool = False) -> None:
        self.append((data, metadata or {}))

    @property
    def figures(self) -> list[tuple[Any, Any]]:
        return [(data, metadata) for data, metadata in self if isinstance(data, dict) and "image/png" in data]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    recorder = Shown()
    monkeypatch.setattr("IPython.display.display", recorder)
    return recorder


def line(slope: float = 1.0) -> Any:
    figure, axes = pyplot.subplots(figsize=(4, 3))
    axes.plot([0, 1], [0, slope])
    return figure


def test_a_figure_is_shown_with_its_alt_text_and_size(shown: Shown) -> None:
    course.show(line(), alt="A line that\n   rises.")
    data, metadata = shown[0]
    assert metadata["image/png"] == {"alt": "A line that rises.", "width": 400, "height": 300}
    assert data["text/plain"] == "A line that rises."
    with Image.open(io.BytesIO(data["image/png"])) as image:
        assert image.size == (400 * style.SHARPNESS, 300 * style.SHARPNESS)
        assert image.convert("RGB").getpixel((2, 2)) == (255, 255, 255)


def test_a_figure_without_alt_text_is_refused(shown: Shown) -> None:
    with pytest.raises(ValueError, match="needs alt text"):
        course.show(line())
    assert shown == []


def test_a_shown_figure_is_closed_so_that_it_is_not_shown_twice(shown: Shown) -> None:
    figure = line()
    course.show(figure, alt="A line.")
    assert not pyplot.fignum_exists(figure.number)


def test_the_same_figure_is_the_same_bytes() -> None:
    assert display.png(line()) == display.png(line())


def test_a_view_can_be_shown_too(shown: Shown) -> None:
    view = View("<b>x</b>", "x")
    course.show(view)
    assert shown[0][0] is view


def test_nobody_watches_a_plain_process_and_a_person_can_say_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_LIVE", raising=False)
    assert not live.front_end()
    for value, answer in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("COURSE_LIVE", value)
        assert live.front_end() is answer


def test_stored_notebook_gets_a_sentence_and_the_figure_of_the_first_values(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_LIVE", "0")
    course.explore(line, alt=lambda slope: f"A line of slope {slope}.", slope=(0.5, 2.0, 0.5))
    sentence, figure = shown
    assert sentence[0]["text/plain"] == "Run in JupyterLab, this figure has controls: slope."
    assert "widget" not in str(shown[0][0])
    assert figure[1]["image/png"]["alt"] == "A line of slope 1.0."


def test_a_moved_control_redraws_the_figure_and_its_alt_text(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LIVE", "1")
    explorer = controls.Explorer(line, lambda slope: f"Slope {slope}.", {"slope": (0.5, 2.0, 0.5)})
    explorer.display()
    slider = explorer.widgets["slope"]
    assert (slider.value, slider.min, slider.max, slider.step, slider.description) == (1.0, 0.5, 2.0, 0.5, "slope")
    slider.value = 2.0
    (before, old), (after, new) = shown.figures
    assert before["image/png"] != after["image/png"]
    assert (old["image/png"]["alt"], new["image/png"]["alt"]) == ("Slope 1.0.", "Slope 2.0.")


def test_an_error_while_redrawing_is_seen_in_the_place_of_the_figure(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_LIVE", "1")

    def fragile(part: str = "a") -> Any:
        if part == "b":
            raise ZeroDivisionError("no such part")
        return line()

    explorer = controls.Explorer(fragile, "A line.", {"part": ["a", "b"]})
    explorer.display()
    with pytest.raises(ZeroDivisionError):
        explorer.widgets["part"].value = "b"
    assert shown[-1][0] == {"text/plain": "ZeroDivisionError: no such part"}


@pytest.mark.parametrize(
    ("control", "kind", "start"),
    [
        ((1, 9), "IntSlider", 5),
        ((0.0, 1.0, 0.25), "FloatSlider", 0.5),
        (["x", "y"], "Dropdown", "x"),
        ({"one": 1, "two": 2}, "Dropdown", 1),
        (True, "Checkbox", True),
        ("words", "Text", "words"),
    ],
)
def test_a_control_follows_from_what_is_given(control: Any, kind: str, start: Any) -> None:
    value = controls.start_value("name", control, inspect.Parameter.empty)
    assert value == start
    assert type(controls.widget("some_name", control, value)).__name__ == kind


def test_a_default_that_no_control_can_show_is_an_error() -> None:
    with pytest.raises(ValueError, match="not among"):
        controls.start_value("slope", (0, 1), 7)
    with pytest.raises(TypeError, match="no control"):
        controls.start_value("slope", object(), 7)


@pytest.fixture
def shell() -> InteractiveShell:
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_objects_of_tfx_are_shown_by_our_views_even_when_tfx_registers_its_own(shell: InteractiveShell) -> None:
    base = type("BaseChannel", (), {"__module__": "tfx.types.channel"})
    channel = type(
        "OutputChannel", (base,), {"__module__": "tfx.types.channel", "type_name": "Model", "get": lambda self: []}
    )()
    channel.producer_component_id = "Trainer"
    formatters.register()
    shell.display_formatter.formatters["text/html"].for_type(type(channel), lambda thing: "<script>theirs</script>")
    with capture_output() as captured:
        shell.push({"thing": channel})
        shell.run_cell("thing")
    shown = captured.outputs[0].data
    assert "not run yet" in shown["text/plain"]
    assert "script" not in shown["text/html"]
    data, _ = shell.display_formatter.format({"model": channel})
    assert data["text/plain"] == "{'model': <Model: 0 artifacts>}"
    assert "Model, not yet" in data["text/html"]
    plain, _ = shell.display_formatter.format({"a": 1})
    assert plain == {"text/plain": "{'a': 1}"}


def test_the_bar_appears_after_a_while_and_goes_when_the_cell_ends(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.02)
    monkeypatch.setattr(progress, "PERIOD", 0.02)
    bar = progress.Bar()
    bar.start()
    while len(shown) < 3:
        time.sleep(0.01)
    bar.stop()
    assert "<progress" in shown[0][0]["text/html"]
    assert shown[-1][0] == {"text/plain": ""}
    count = len(shown)
    time.sleep(0.1)
    assert len(shown) == count
    assert "course-progress" not in [thread.name for thread in threading.enumerate()]


def test_a_cell_that_takes_the_streams_away_stops_no_bar(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """ipykernel's `ZMQDisplayPublisher.publish` flushes both streams first, of whichever thread it is asked."""
    monkeypatch.setattr(progress, "PATIENCE", 0.02)
    monkeypatch.setattr(progress, "PERIOD", 0.02)
    failed: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    given, taken = progress._bar, threading.Event()

    def flushed(*of: Any) -> dict[str, str]:
        taken.set()
        while sys.stdout is not None and not shown:  # it is taken away after it was looked at
            time.sleep(0.01)
        sys.stdout.flush()
        return given(*of)

    monkeypatch.setattr(progress, "_bar", flushed)
    bar = progress.Bar()
    bar.start()
    taken.wait()
    with contextlib.redirect_stdout(None):
        time.sleep(0.2)
        assert shown == []
    monkeypatch.setattr(progress, "_bar", given)
    while len(shown) < 2:
        time.sleep(0.01)
    bar.stop()
    assert failed == []
    assert shown[-1][0] == {"text/plain": ""}


def test_a_quick_cell_has_no_bar(shown: Shown) -> None:
    bar = progress.Bar()
    bar.start()
    bar.stop()
    assert shown == []


def test_the_bar_goes_when_the_cell_fails(
    shell: InteractiveShell, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_LIVE", "1")
    monkeypatch.setattr(progress, "PATIENCE", 0.02)
    progress.register()
    progress.register()
    with capture_output():
        result = shell.run_cell("import time; time.sleep(0.3); 1 / 0")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert shown.made == 1
    assert shown[-1][0] == {"text/plain": ""}


def test_there_is_no_bar_where_nobody_watches(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LIVE", "0")
    before = len(shell.events.callbacks["pre_run_cell"])
    progress.register()
    assert len(shell.events.callbacks["pre_run_cell"]) == before


def running(source: str, filename: str, names: dict[str, Any]) -> tuple[str, float | None]:
    """What the bar says while `source` runs, which calls `look()`."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    seen: list[Any] = []
    exec(compile(source, filename, "exec"), {**names, "look": lambda: seen.append(progress.what_runs(sys._getframe()))})
    return seen[0]


def test_the_bar_says_which_line_of_the_cell_runs() -> None:
    source = "def helper():\n    look()\nx = 1\nhelper()\n"
    assert running(source, "/tmp/ipykernel_4711/123.py", {"__name__": "__main__"}) == ("helper()", None)


def test_the_bar_says_which_component_runs_and_how_many_are_done() -> None:
    def thing(**names: Any) -> Any:
        return type("Thing", (), names)()

    def node(name: str) -> Any:
        return thing(node_info=thing(id=name))

    pipeline = thing(nodes=[thing(pipeline_node=node(name)) for name in ("Gen", "Stats", "Trainer", "Pusher")])
    launcher: dict[str, Any] = {"__name__": "tfx.orchestration.portable.launcher"}
    runner: dict[str, Any] = {"__name__": "tfx.orchestration.local.local_dag_runner"}
    seen: list[Any] = []
    launcher["look"] = lambda: seen.append(progress.what_runs(sys._getframe()))
    exec("def launch(self):\n    look()", launcher)
    exec("def run(pipeline, self, launch):\n    launch(self)", runner)
    runner["run"](pipeline, thing(_pipeline_node=node("Trainer")), launcher["launch"])
    assert seen == [("Trainer", 0.5)]
