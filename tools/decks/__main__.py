"""The command line; see the package's docstring."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.decks.build import ROOT, build
from tools.decks.slides import DeckError


def main(arguments: list[str] | None = None) -> int:
    """Builds the decks. Returns the exit code: 0, or 1 when a notebook cannot become a deck (the others are built)."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.decks", description="Turn lessons into slide decks that open offline."
    )
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="default: every lesson")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "out/decks", help="folder (default: out/decks)")
    options = parser.parse_args(arguments)
    notebooks = options.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb"))
    if not notebooks:
        print("No lesson found in notebooks/.", file=sys.stderr)
        return 1
    failed = False
    for path in notebooks:
        try:
            deck = build(path, options.output)
            print(f"{deck.file}: {deck.slides} slides, {deck.file.stat().st_size / 1e6:.1f} MB", flush=True)
        except (DeckError, OSError) as error:
            failed = True
            print(f"{path}: no deck. {error}", file=sys.stderr, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
