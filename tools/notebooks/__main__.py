"""The command line; see the package's docstring."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import yaml

from tools.notebooks import execute, form, run, style


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns the exit code: 0, or 1 when a notebook is not as it should be."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.notebooks", description="Execute, store and check the notebooks."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    save = commands.add_parser("save", help="execute notebooks and store their outputs in the committed form")
    save.add_argument("notebooks", nargs="+", type=Path)
    save.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="needs --output")
    save.add_argument("-o", "--output", type=Path, help="write here instead of over the notebook")
    save.add_argument("--timeout", type=float, default=600, help="seconds for each notebook (default 600)")
    check = commands.add_parser("check-format", help="say which notebooks are not in the committed form")
    check.add_argument("notebooks", nargs="*", type=Path)
    check_style = commands.add_parser("check", help="say what in notebooks is not as STYLE.md says")
    check_style.add_argument("notebooks", nargs="*", type=Path)
    run_all = commands.add_parser("run", help="execute all notebooks (or those named), compare their outputs, report")
    run_all.add_argument("notebooks", nargs="*", type=Path)
    run_all.add_argument("--at-a-time", type=int, default=2, help="notebooks at a time (default 2)")
    options = parser.parse_args(arguments)
    if options.command == "run":
        return _run(options)
    if options.command == "save":
        return _save(options)
    if options.command == "check":
        return _check(options.notebooks)
    return _check_format(options.notebooks)


def _save(options: argparse.Namespace) -> int:
    if (options.parameter or options.output) and len(options.notebooks) > 1:
        sys.exit("-p and --output go with one notebook")
    if options.parameter and not options.output:
        sys.exit("-p needs --output FILE: the committed outputs are those of the notebook's own parameters")
    given = dict(_parameter(text) for text in options.parameter)
    failed = False
    for path in options.notebooks:
        started = time.monotonic()
        try:
            if options.output:
                form.write(execute.execute(path, given, options.timeout), options.output)
            else:
                execute.save(path, options.timeout)
            print(f"{options.output or path}: saved, {time.monotonic() - started:.0f} s", flush=True)
        except (execute.NotebookFailed, OSError, ValueError) as error:
            failed = True
            print(f"FAILED {error}\n  {execute.shown(path)} is as it was.", file=sys.stderr, flush=True)
    return int(failed)


def _parameter(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        sys.exit(f"-p wants NAME=VALUE, not {text!r}")
    return name, yaml.safe_load(value)


def _run(options: argparse.Namespace) -> int:
    """Starts the tests of the notebooks: one for each notebook and engine, and the report at their end."""
    missing = [str(path) for path in options.notebooks if not path.is_file()]
    if missing:
        sys.exit(f"no such notebook: {', '.join(missing)}")
    named = [argument for path in options.notebooks for argument in ("--notebook", str(path.resolve()))]
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "tests/notebooks/test_notebooks.py",
        "-q",
        "-n",
        str(options.at_a_time),
        "--maxschedchunk",
        "1",
    ]
    return subprocess.run([*pytest, *named], cwd=execute.ROOT, check=False).returncode


def _check(paths: list[Path]) -> int:
    paths = paths or [path for folder in run.FOLDERS for path in run.notebooks(folder)]
    findings = []
    for path in paths:
        findings += style.check(style.Notebook.read(path, run.kind(path)), execute.shown(path))
    if findings:
        print("\n".join(map(str, findings)), file=sys.stderr)
    print(f"{len(paths)} notebooks looked at, {len(findings)} findings")
    return int(bool(findings))


def _check_format(paths: list[Path]) -> int:
    paths = paths or [path for folder in run.COMPARED for path in run.notebooks(folder)]
    failed = False
    for path in paths:
        found = form.differences(path)
        if found:
            failed = True
            print(f"{path} is not in the committed form:", file=sys.stderr)
            print("\n".join(f"  {line}" for line in found), file=sys.stderr)
            print(f"  python -m tools.notebooks save {path}   executes it and stores it in that form", file=sys.stderr)
    print(f"{len(paths)} notebooks looked at" + ("" if failed else ", all in the committed form"))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
