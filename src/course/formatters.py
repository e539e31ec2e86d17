"""Tells IPython to show TFX's objects with our views, and figures with their alt text.

The types are given by name, so that nothing is imported. The views are hooked in at the stage of IPython's display that comes
before all others: `InteractiveContext` registers HTML of its own when it is made (with memory addresses, paths and a script),
and would otherwise take precedence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from course.live import ipython


def register() -> None:
    """Registers the views for the last expression of a cell and for `display`. Does nothing outside IPython."""
    shell = ipython()
    if shell is None:
        return
    first = shell.display_formatter.ipython_display_formatter
    for (module, name), view in _views().items():
        first.for_type_by_name(module, name, _displayer(view))
    shell.display_formatter.formatters["text/html"].for_type(dict, _outputs_html)
    plain = shell.display_formatter.formatters["text/plain"]
    for name in ("OutputChannel", "Channel", "UnionChannel", "BaseChannel"):
        plain.for_type_by_name("tfx.types.channel", name, _channel_text)
    plain.for_type_by_name("tfx.types.artifact", "Artifact", _artifact_text)


def _views() -> dict[tuple[str, str], Callable[[Any], Any]]:
    """Which view shows which type."""

    def late(name: str) -> Callable[[Any], Any]:
        def view(thing: Any) -> Any:
            from course import views

            return getattr(views, name)(thing)

        return view

    return {
        ("tfx.orchestration.experimental.interactive.execution_result", "ExecutionResult"): late("execution"),
        ("tfx.types.artifact", "Artifact"): late("artifact"),
        ("tfx.types.channel", "BaseChannel"): late("artifacts"),
        ("tfx.dsl.components.base.base_node", "BaseNode"): late("component"),
    }


def _displayer(view: Callable[[Any], Any]) -> Callable[[Any], None]:
    def display_it(thing: Any) -> None:
        from IPython.display import display

        display(view(thing))

    return display_it


def _outputs_html(thing: dict[Any, Any]) -> str | None:
    """HTML for a component's `outputs`; None for any other dict, which IPython then shows as ever."""
    if not thing or not all(hasattr(channel, "producer_component_id") for channel in thing.values()):
        return None
    from course import views

    return views.outputs(thing)._repr_mimebundle_()["text/html"]


def _channel_text(channel: Any, printer: Any, cycle: bool) -> None:
    """A channel inside of something else, such as a dict, in plain text."""
    artifacts = list(channel.get()) if hasattr(channel, "get") else []
    printer.text(f"<{channel.type_name}: {len(artifacts)} artifact{'' if len(artifacts) == 1 else 's'}>")


def _artifact_text(artifact: Any, printer: Any, cycle: bool) -> None:
    """An artifact inside of something else, such as a list, in plain text."""
    printer.text(f"<{artifact.type_name}>")
