"""The language of a Dockerfile, as far as lab 5 follows it: instructions, stages, variables, and the commands of a `RUN`."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator

BASE_VARIABLES = {"VENV": "/opt/course"}
"""What the course's image sets: `deploy/image/Dockerfile`."""
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})")
HEREDOC = re.compile(r"<<-?[\"']?(\w+)[\"']?")


_VALUED = frozenset(
    [
        "-t",
        "--target",
        "-c",
        "--constraint",
        "-r",
        "--requirement",
        "-i",
        "--index-url",
        "--extra-index-url",
        "-f",
        "--find-links",
        "--prefix",
        "--root",
        "--src",
        "--python",
        "-p",
        "--no-binary",
        "--only-binary",
        "--upgrade-strategy",
        "-C",
        "--config-settings",
        "--config-setting",
        "--progress-bar",
        "--cache-dir",
        "--timeout",
        "--retries",
        "--log",
        "--trusted-host",
        "--proxy",
        "--exists-action",
        "--use-feature",
        "--report",
        "--link-mode",
    ]
)
"""Options of `pip install` and `uv pip install` that are followed by a value."""


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile: (name in capitals, rest), with variables (`ARG`, `ENV`) that have a value put in."""
    text = re.sub(r"(?m)^\s*#.*\n?", "", text)
    text = re.sub(r"\\[ \t]*\n", " ", text)
    found, known, lines = [], dict(BASE_VARIABLES), iter(text.splitlines())
    for line in lines:
        name, _, rest = line.strip().partition(" ")
        name, rest = name.upper(), _filled(rest.strip(), known)
        if name == "ARG" and "=" in rest:
            variable, _, value = rest.partition("=")
            known[variable] = value.strip("\"'")
        if name == "ENV":
            known |= variables_of(rest)
        if name in ("RUN", "COPY", "ADD") and (opened := HEREDOC.search(rest)):
            rest += "".join(f"\n{_filled(one, known)}" for one in _until(lines, opened[1]))
        if name:
            found.append((name, rest))
    return found


def _filled(text: str, known: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: known.get(match[1] or match[2], match[3] or match[0]), text)


def variables_of(rest: str) -> dict[str, str]:
    """What an `ENV` sets, in either of its forms."""
    if "=" not in rest.split(" ", 1)[0]:
        name, _, value = rest.partition(" ")
        return {name: value.strip()}
    return dict(word.split("=", 1) for word in _split(rest) if "=" in word)


def _until(lines: Iterator[str], end: str) -> Iterator[str]:
    for line in lines:
        if line.strip() == end:
            return
        yield line


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def last_stage(found: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """What the last stage starts from, and its instructions; with those of a stage of this file that it goes on from."""
    stages: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    base, own = "", []
    for name, rest in found:
        if name != "FROM":
            own.append((name, rest))
            continue
        words = [word for word in rest.split() if not word.startswith("--")]
        base, own = stages.get(words[0], (words[0], [])) if words else ("", [])
        own = list(own)
        if len(words) == 3 and words[1].upper() == "AS":
            stages[words[2]] = (base, own)
    return base, own


def words_of(rest: str) -> list[str]:
    """The words of an instruction, in either of its forms."""
    if rest.startswith("["):
        try:
            return [str(word) for word in json.loads(rest)]
        except (ValueError, TypeError):
            rest = re.sub(r"[\[\],]", " ", rest)
    return _split(rest)


def commands_of(text: str) -> Iterator[list[str]]:
    """The commands of a `RUN`, each in words, in their order."""
    if text.startswith("["):
        commands = [words_of(text)]
    else:
        text = HEREDOC.sub("", text)
        lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=True)
        lexer.whitespace_split, lexer.commenters = True, ""
        try:
            words = list(lexer)
        except ValueError:
            words = re.sub(r"(&&|\|\||;)", r" \1 ", text).split()
        commands = [[]]
        for word in words:
            if word in ("&&", "||", ";", "|", "&", "(", ")"):
                commands.append([])
            else:
                commands[-1].append(word)
    for words in commands:
        while words and re.fullmatch(r"\w+=.*|exec|sudo|env|then|do|\{", words[0]):
            words = words[1:]
        if (
            words
            and posixpath.basename(words[0]) in ("sh", "bash", "dash")
            and re.match(r"-\w*c", " ".join(words[1:2]))
        ):
            yield from commands_of(" ".join(words[2:3]))
        elif words:
            yield words


def installed_by(words: list[str]) -> str | None:
    """What a `pip install` installs, as it is written; None for any other command."""
    is_pip = any(re.fullmatch(r"pip[\d.]*|uv", posixpath.basename(word)) for word in words)
    if not is_pip or "install" not in words:
        return None
    targets, left = [], iter(words[words.index("install") + 1 :])
    for word in left:
        if word in _VALUED:
            next(left, None)
        elif not word.startswith("-"):
            targets.append(re.sub(r"\[.*\]$", "", word.rpartition("file://")[2]))
    return next((one for one in targets if "/" in one or one.startswith(".")), targets[0] if targets else "")
