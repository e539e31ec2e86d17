"""Rules about any file of the repository: what it may name, and that its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from tools.notebooks.style.text import headings, link_targets

# Written backwards, so that this file does not name what no file may name.
_SERVERS = [
    *("gro.ipyp", "gro.detsohnohtyp", "gro.sjmpn", "moc.sjmpn", "moc.gkpnray", "gro.adnocana", "moc.adnocana"),
    *("gro.smegybur", "oi.setarc", "gro.gnalog.yxorp", "gro.naibed.bed", "moc.utnubu.evihcra", "moc.gorfj"),
]
REGISTRY = re.compile(
    rf"(?<![\w-])(?:[\w-]+\.)*(?:{'|'.join(re.escape(name[::-1]) for name in _SERVERS)})(?![\w-])", re.IGNORECASE
)
INDEX_SETTING = re.compile(
    r"(?:index[-_]?url|\bregistry|trusted-host|\b(?:UV|PIP)_\w*(?:INDEX|HOST)\w*)['\"]?\s*[=: ]\s*['\"]?(?:https?:)?//[\w.-]+",
    re.IGNORECASE,
)
"""A setting that sends an installer to some server of packages."""
_SETTINGS = ("index", "registry", "host")
_PLACEHOLDERS = "ann|anna|jovyan|maria|me|runner|student|user|vscode|you"
"""Names that stand for anybody in examples and containers."""


def tracked(root: Path, suffix: str = "") -> list[Path]:
    """Returns the files that git tracks or would add, with this suffix; not those that are deleted or ignored."""
    command = ["git", "-c", f"safe.directory={root}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout.split("\0")
    return sorted({root / name for name in listed if name.endswith(suffix) and name and (root / name).is_file()})


def text_of(path: Path) -> str | None:
    """Returns a file's text, or None when it is not text."""
    data = path.read_bytes()
    return None if b"\0" in data[:8192] else data.decode("utf-8", errors="replace")


def registries(text: str) -> Iterator[str]:
    """No file names a server of packages: those who install use the one that their machine is set up for."""
    for number, line in enumerate(text.splitlines(), start=1):
        # Lines of images are long: an expression is tried only where a word of it is.
        lower = line.lower()
        found = any(name[::-1] in lower for name in _SERVERS) and REGISTRY.search(line)
        if found := found or (any(word in lower for word in _SETTINGS) and INDEX_SETTING.search(line)):
            yield f"line {number} names a server of packages: {found[0]}"


def machine_paths(text: str, root: Path, home: Path) -> Iterator[str]:
    """No file names a folder of the machine on which it was written."""
    ours = [str(path) for path in (root, home) if len(path.parts) > 2]
    own, starts = map(re.escape, ours), ("/home/", "/Users/", *ours)
    people = rf"/(?:home|Users)/(?!(?:{_PLACEHOLDERS})\b)[a-z]\w*(?=[/\s\"'])"
    pattern = re.compile("|".join(rf"(?<![\w.~:}}-])(?:{path})(?![\w-])" for path in [people, *own]))
    for number, line in enumerate(text.splitlines(), start=1):
        if any(start in line for start in starts) and (found := pattern.search(line)):
            yield f"line {number} names a folder of one machine: {found[0]}"


def broken_links(path: Path, root: Path) -> Iterator[str]:
    """The relative links of a Markdown file lead to files, and to headings that are there."""
    prose = _prose(path)
    for target in link_targets(prose):
        file, _, anchor = target.partition("#")
        where = (root / file.lstrip("/") if file.startswith("/") else path.parent / unquote(file)) if file else path
        if not where.exists():
            yield f"the link to {target} leads nowhere"
        elif anchor and where.suffix == ".md" and anchor.lower() not in anchors(_prose(where)):
            yield f"the link to {target} leads to a heading that is not there"


def anchors(markdown: str) -> set[str]:
    """Returns the anchors that a code host makes of a text's headings."""
    found: set[str] = set()
    for _, name in headings(markdown):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[*_`]", lambda match: match[1] or "", name)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        number = 0
        while (candidate := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(candidate)
    return found


def _prose(path: Path) -> str:
    return re.sub(r"^(```|~~~).*?^\1[^\n]*$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
