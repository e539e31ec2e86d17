"""The labs for a class: copies of `labs/` whose first cell holds the salt of the class."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path

from tools.labs import source
from tools.notebooks import form


def hand_out(folder: Path, salt: str = "", labs: Path = source.LABS) -> str:
    """Copies the labs to a folder, with the salt in the cell that begins each. Returns the salt; without one, it is made up.

    Raises:
        ValueError: the salt cannot be one, or there is something in the folder already.
    """
    salt = valid_salt(salt) or secrets.token_hex(6)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: name a new folder")
    shutil.copytree(labs, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".ipynb_checkpoints", ".gitkeep"))
    for path in sorted(folder.glob("*/*.ipynb")):
        node = form.read(path)
        begun = f'checks.begin("{path.stem}", STUDENT'
        for cell in node.cells:
            cell.source = cell.source.replace(f"{begun})", f'{begun}, salt="{salt}")')
        if sum(f'{begun}, salt="{salt}")' in cell.source for cell in node.cells) != 1:
            raise ValueError(f"{path}: no cell begins the lab, so it has no salt")
        form.write(node, path)
    return salt


def valid_salt(salt: str) -> str:
    """The salt, if it can be one.

    Raises:
        ValueError: it cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,64}", salt):
        raise ValueError(f"SALT={salt!r} has to be of letters, digits, and . _ - (at most 64)")
    return salt
