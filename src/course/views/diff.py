"""What changed between two schemas, feature by feature, in words."""

from __future__ import annotations

from typing import Any

from course.views import protos
from course.views.contract import described
from course.views.html import View, heading, stack, table


def schema_diff(before: Any, after: Any) -> View:
    """What changed in the contract.

    Args:
        before: a Schema artifact, its channel, a `schema.pbtxt`, or the proto.
        after: the same of the newer contract.
    """
    old, new = described(protos.schema(before)), described(protos.schema(after))
    rows = []
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            rows.append((name, "gone", "", ""))
        elif name not in old:
            rows.append((name, "new", "", ", ".join(text for text in new[name].values() if text)))
        else:
            rows += [
                (name, aspect, old[name][aspect], new[name][aspect])
                for aspect in new[name]
                if old[name][aspect] != new[name][aspect]
            ]
    words = f"{len({row[0] for row in rows})} features differ" if rows else "nothing changed"
    return stack(
        heading("Schema, what changed", words), *([table(["feature", "what", "before", "after"], rows)] if rows else [])
    )
