"""Which spans of the data the gate of a pipeline takes: one that it refused is learned from by no model, until its file or the contract changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from engines.errors import BadData
from operation import records

FILE = "refused.json"

LONGEST = 400
"""Characters of a refusal that are kept."""


class RefusedSpans:
    """What was refused, in a file of JSON, by the checksum of what was judged."""

    def __init__(
        self,
        folder: str | Path,
        judge: Callable[[int, int], object],
        files: Callable[[int], Sequence[str | Path]],
        history: int,
        first: int = 1,
    ) -> None:
        """Judges nothing yet.

        Args:
            folder: for the file.
            judge: runs the gate on the spans from the first to the last of them; raises `engines.errors.BadData`.
            files: what a span's judgement depends on: its file, which comes first, and the contract.
            history: how many spans before the newest are learned from, at most.
            first: number of the first span.
        """
        self.file = Path(folder) / FILE
        self._judge, self._files, self._history, self._first = judge, files, history, first
        self._taken: set[int] = set()

    def why(self, span: int) -> str:
        """Why the gate refuses a span; empty where it takes it, with those before it (`window`)."""
        while not (known := self.known(span)) and span not in self._taken:
            begin, _ = self.window(span)
            try:
                self._judge(begin, span)
                self._taken |= {*range(begin, span + 1)}
            except BadData as error:
                # All before it are asked, since this may be the fault of any; where it is, the span is judged without that one.
                if not [one for one in range(begin, span) if self.why(one)]:
                    self._keep(span, _short(error))
        return known

    def window(self, span: int) -> tuple[int, int]:
        """The spans that a model learns from, and is judged on: the newest, and those before it without one that was refused, or is not there."""
        begin = span
        while (
            begin - 1 >= max(self._first, span - self._history)
            and Path(self._files(begin - 1)[0]).is_file()
            and not self.known(begin - 1)
        ):
            begin -= 1
        return begin, span

    def known(self, span: int) -> str:
        """Why a span was refused, when it was judged; nothing is run."""
        kept = self._kept().get(str(span), {})
        return kept.get("why", "") if kept.get("checksum") == self._checksum(span) else ""

    def _kept(self) -> dict[str, dict[str, str]]:
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else {}

    def _keep(self, span: int, why: str) -> None:
        kept = self._kept() | {str(span): {"checksum": self._checksum(span), "why": why}}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        records.write_whole(self.file, json.dumps(kept, indent=1) + "\n")

    def _checksum(self, span: int) -> str:
        digest = hashlib.sha256()
        for file in self._files(span):
            digest.update(hashlib.sha256(Path(file).read_bytes()).digest())
        return digest.hexdigest()


def _short(error: BaseException) -> str:
    """In one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
