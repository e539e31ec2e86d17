"""Controls that redraw a figure. The figure is also the static one, so that the notebook reads without a kernel."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from course import live
from course.display import bundle

if TYPE_CHECKING:
    from ipywidgets import Widget
    from matplotlib.figure import Figure

Draw = Callable[..., "Figure"]
Alt = str | Callable[..., str] | None


def explore(draw: Draw, alt: Alt = None, **controls: Any) -> None:
    """Shows what `draw` returns, with controls that draw it again.

        course.explore(costs_at, threshold=(0.05, 0.95, 0.05), month=[1, 2, 3])

    Where a person is watching, the controls appear over the figure (usable by keyboard: Tab to reach one, arrows to
    change it). In a notebook that is executed in order to be stored, a line of text names them instead, and the figure
    is drawn with the values that they start from.

    Args:
        draw: takes the controls' values by name, returns a new matplotlib figure.
        alt: alt text of the figure, or a function of the controls' values that returns it, so that the numbers in it
            follow. May be left out where `draw` sets `figure.course_alt`.
        **controls: for each argument of `draw`: `(lowest, highest)` or `(lowest, highest, step)` for a slider, a list or
            a dict of labels and values for a choice, True or False for a box to tick, a text for a line of text.
            The default of the argument in `draw` is the value to start from.
    """
    Explorer(draw, alt, controls).display()


class Explorer:
    """The controls and the figure of one `explore`."""

    def __init__(self, draw: Draw, alt: Alt, controls: dict[str, Any]) -> None:
        """Works out the values to start from; nothing is drawn yet."""
        defaults = {name: p.default for name, p in inspect.signature(draw).parameters.items()}
        self._draw, self._alt, self._controls = draw, alt, controls
        self._pending = False
        self._handle: Any = None
        self.widgets: dict[str, Widget] = {}
        self.values = {
            name: start_value(name, control, defaults.get(name, inspect.Parameter.empty))
            for name, control in controls.items()
        }

    def display(self) -> None:
        """Displays the controls (or the line that stands in for them), then the figure."""
        from IPython.display import display

        if live.front_end():
            import ipywidgets

            self.widgets = {n: widget(n, c, self.values[n]) for n, c in self._controls.items()}
            for control in self.widgets.values():
                control.observe(self._changed, names="value")
            display(ipywidgets.VBox(list(self.widgets.values())))
        else:
            display(_note(self._controls), raw=True)
        data, metadata = self._bundle()
        self._handle = display(data, metadata=metadata, raw=True, display_id=live.front_end())

    def _bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        alt = self._alt(**self.values) if callable(self._alt) else self._alt
        drawn = self._draw(**self.values)
        if hasattr(drawn, "_repr_mimebundle_"):  # a view brings its own text
            made = drawn._repr_mimebundle_()
            return made if isinstance(made, tuple) else (made, {})
        return bundle(drawn, alt)

    def _changed(self, change: dict[str, Any]) -> None:
        """Draws again soon: several changes that come at once (a slider that is pulled) are drawn once."""
        import asyncio

        if self._pending:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.redraw()
            return
        self._pending = True
        loop.call_later(0.03, self.redraw)

    def redraw(self) -> None:
        """Draws the figure with the controls' present values. An error is shown in the figure's place."""
        self._pending = False
        self.values = {name: control.value for name, control in self.widgets.items()}
        try:
            data, metadata = self._bundle()
        except Exception as error:
            self._handle.update({"text/plain": f"{type(error).__name__}: {error}"}, metadata={}, raw=True)
            raise
        self._handle.update(data, metadata=metadata, raw=True)


def start_value(name: str, control: Any, default: Any) -> Any:
    """The value that a control starts from: the argument's default, else the middle of a range or the first choice.

    Raises:
        TypeError: no control is known for what was given.
        ValueError: the default is outside the range or not among the choices.
    """
    has_default = default is not inspect.Parameter.empty
    if isinstance(control, bool | str):
        return default if has_default else control
    if isinstance(control, tuple) and len(control) in (2, 3):
        low, high, step = (*control, 1)[:3]
        middle = low + round((high - low) / 2 / step) * step if len(control) == 3 else low + (high - low) / 2
        if all(isinstance(number, int) for number in control):
            middle = int(middle)
        value, valid = (default if has_default else middle), low <= (default if has_default else middle) <= high
    elif isinstance(control, list | dict) and control:
        choices = list(control.values() if isinstance(control, dict) else control)
        value = default if has_default else choices[0]
        valid = value in choices
    else:
        raise TypeError(
            f"{name}: {control!r} is no control. Give (lowest, highest, step), a list, a dict or True/False."
        )
    if not valid:
        raise ValueError(f"{name}: the default {value!r} of the drawing function is not among {control!r}.")
    return value


def widget(name: str, control: Any, value: Any) -> Widget:
    """The ipywidgets control for what `explore` was given; `start_value` has checked it."""
    import ipywidgets

    look = {
        "description": label(name),
        "style": {"description_width": "initial"},
        "layout": ipywidgets.Layout(width="min(100%, 460px)"),
        "value": value,
    }
    if isinstance(control, bool):
        return ipywidgets.Checkbox(indent=False, **look)
    if isinstance(control, str):
        return ipywidgets.Text(continuous_update=False, **look)
    if isinstance(control, list | dict):
        return ipywidgets.Dropdown(options=control, **look)
    low, high = control[:2]
    if all(isinstance(number, int) for number in control):
        return ipywidgets.IntSlider(min=low, max=high, step=(*control, 1)[2], **look)
    step = control[2] if len(control) == 3 else (high - low) / 50
    places = max(0, len(f"{step:.6f}".rstrip("0").split(".")[1]))
    return ipywidgets.FloatSlider(min=low, max=high, step=step, readout_format=f".{places}f", **look)


def label(name: str) -> str:
    """A control's name as a reader sees it."""
    return name.replace("_", " ")


def _note(controls: dict[str, Any]) -> dict[str, str]:
    """The line that stands in for the controls in a stored notebook. A deck leaves it out, by its class."""
    from html import escape

    text = f"Run in JupyterLab, this figure has controls: {', '.join(label(name) for name in controls)}."
    look = "font-size: 0.9em; color: var(--jp-ui-font-color2, #5f6b7a); margin: 0"
    return {"text/html": f'<p class="course-live-only" style="{look}">{escape(text)}</p>', "text/plain": text}
