"""Controls that redraw a figure or a table. What is shown is also the static version, so that the notebook reads without a kernel."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from course import live
from course.display import bundle

if TYPE_CHECKING:
    from ipywidgets import Widget

Draw = Callable[..., Any]
Alt = str | Callable[..., str] | None
Bundle = tuple[dict[str, Any], dict[str, Any]]

_EMPTY: Bundle = ({"text/html": "", "text/plain": ""}, {})


def explore(draw: Draw, alt: Alt = None, **controls: Any) -> None:
    """Shows what `draw` returns, with controls that draw it again.

        course.explore(costs_at, threshold=(0.05, 0.95, 0.05), month=[1, 2, 3])

    Where a person is watching, the controls appear over the figure (usable by keyboard: Tab to reach one, arrows to
    change it). In a notebook that is executed in order to be stored, a line of text names them instead, and the figure
    is drawn with the values that they start from.

    Args:
        draw: takes the controls' values by name, returns a new matplotlib figure, or a view, or a report of several.
        alt: alt text of the figure, or a function of the controls' values that returns it, so that the numbers in it
            follow. May be left out where `draw` sets `figure.course_alt`, and for views, which have one.
        **controls: for each argument of `draw`: `(lowest, highest)` or `(lowest, highest, step)` for a slider, a tuple of
            texts for a slider over them, a list or a dict of labels and values for a choice, True or False for a box to
            tick, a text for a line of text. The default of the argument in `draw` is the value to start from.
    """
    Explorer(draw, alt, controls).display()


class Explorer:
    """The controls of one `explore`, and what they draw."""

    def __init__(self, draw: Draw, alt: Alt, controls: dict[str, Any], start: dict[str, Any] | None = None) -> None:
        """Works out the values to start from; nothing is drawn yet.

        Args:
            draw: as for `explore`.
            alt: as for `explore`.
            controls: as for `explore`, by the name of the argument.
            start: values to start from, by name; they come before the defaults of `draw`.
        """
        defaults = {name: p.default for name, p in inspect.signature(draw).parameters.items()} | (start or {})
        self._draw, self._alt, self._controls = draw, alt, controls
        self._pending = False
        self._handles: list[Any] = []
        self.widgets: dict[str, Widget] = {}
        self.values = {
            name: start_value(name, control, defaults.get(name, inspect.Parameter.empty))
            for name, control in controls.items()
        }

    def display(self) -> None:
        """Displays the controls (or the line that stands in for them), then what is drawn."""
        from IPython.display import display

        parts = self._parts()
        if live.front_end():
            import ipywidgets

            self.widgets = {n: widget(n, c, self.values[n]) for n, c in self._controls.items()}
            for control in self.widgets.values():
                control.observe(self._changed, names="value")
            display(ipywidgets.VBox(list(self.widgets.values())))
        elif self._controls:
            what = "figure" if any("image/png" in data for data, _ in parts) else "table"
            display(_note(self._controls, what), raw=True)
        self._handles = [
            display(data, metadata=metadata, raw=True, display_id=live.front_end()) for data, metadata in parts
        ]

    def _parts(self) -> list[Bundle]:
        """What `draw` returns for the present values, as Jupyter's data and metadata."""
        drawn = self._draw(**self.values)
        found = []
        for part in getattr(drawn, "parts", [drawn]):
            if hasattr(part, "_repr_mimebundle_"):  # a view brings its own text
                made = part._repr_mimebundle_()
                found.append(made if isinstance(made, tuple) else (made, {}))
            else:
                found.append(bundle(part, self._alt(**self.values) if callable(self._alt) else self._alt))
        return found

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
        """Draws again with the controls' present values. An error is shown in the place of what was drawn."""
        self._pending = False
        self.values = {name: control.value for name, control in self.widgets.items()}
        try:
            parts = self._parts()
        except Exception as error:
            self._update([({"text/plain": f"{type(error).__name__}: {error}"}, {})])
            raise
        self._update(parts)

    def _update(self, parts: list[Bundle]) -> None:
        """Puts the parts in the places of those before; places that are left over are emptied."""
        if len(parts) > len(self._handles):
            raise ValueError(
                f"{len(parts)} parts were drawn where there were {len(self._handles)}: draw as many each time."
            )
        for place, handle in enumerate(self._handles):
            data, metadata = parts[place] if place < len(parts) else _EMPTY
            handle.update(data, metadata=metadata, raw=True)


def start_value(name: str, control: Any, default: Any) -> Any:
    """The value that a control starts from: the argument's default, else the middle of a range or the first choice.

    Raises:
        TypeError: no control is known for what was given.
        ValueError: the default is outside the range or not among the choices.
    """
    has_default = default is not inspect.Parameter.empty
    if isinstance(control, bool | str):
        return default if has_default else control
    if (isinstance(control, list | dict) and control) or _is_scale(control):
        choices = list(control.values() if isinstance(control, dict) else control)
        value = default if has_default else choices[0]
        valid = value in choices
    elif isinstance(control, tuple) and len(control) in (2, 3):
        low, high, step = (*control, 1)[:3]
        middle = low + round((high - low) / 2 / step) * step if len(control) == 3 else low + (high - low) / 2
        if all(isinstance(number, int) for number in control):
            middle = int(middle)
        value, valid = (default if has_default else middle), low <= (default if has_default else middle) <= high
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
    if _is_scale(control):
        return ipywidgets.SelectionSlider(options=control, **look)
    low, high = control[:2]
    if all(isinstance(number, int) for number in control):
        return ipywidgets.IntSlider(min=low, max=high, step=(*control, 1)[2], **look)
    step = control[2] if len(control) == 3 else (high - low) / 50
    places = max(0, len(f"{step:.6f}".rstrip("0").split(".")[1]))
    return ipywidgets.FloatSlider(min=low, max=high, step=step, readout_format=f".{places}f", **look)


def label(name: str) -> str:
    """A control's name as a reader sees it."""
    return name.replace("_", " ")


def _is_scale(control: Any) -> bool:
    """True for a tuple of texts, such as the months of a year."""
    return isinstance(control, tuple) and bool(control) and all(isinstance(one, str) for one in control)


def _note(controls: dict[str, Any], what: str) -> dict[str, str]:
    """The line that stands in for the controls in a stored notebook. A deck leaves it out, by its class."""
    from html import escape

    text = f"Run in JupyterLab, this {what} has controls: {', '.join(label(name) for name in controls)}."
    look = "font-size: 0.9em; color: var(--jp-ui-font-color2, #5f6b7a); margin: 0"
    return {"text/html": f'<p class="course-live-only" style="{look}">{escape(text)}</p>', "text/plain": text}
