"""The folders, files and addresses that a run is told of: what is no place on this machine is refused before anything runs, and so is a secret.

Settings are kept: in the metadata store, in a compiled pipeline, in Airflow's project. So no password may be among them; the libraries that need
one find it elsewhere.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote

IN_PACKAGE = "package:"
"""How the name of a file in a package begins: `package:PACKAGE/schema/schema.pbtxt`."""

SQLITE = "sqlite:///"

LONGEST = 255
"""Bytes that Linux allows a name in a folder to have."""

STORES = {
    SQLITE: "",
    "postgresql://": "Write postgresql://USER@HOST/DATABASE, and give the password in ~/.pgpass or in PGPASSWORD.",
    "mysql://": "Write mysql://USER@HOST/DATABASE?read_default_file=~/.my.cnf, and give the password in that file.",
    "http://": "Write http://HOST:PORT, and give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
    "https://": "Write https://HOST, and give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
}
"""How an MLflow tracking address may begin, and how a store gets its password (environment variables and files of libpq, MySQL and MLflow). A
folder of files is not among them: MLflow has given that store up."""

SECRET = re.compile(r"pass|pwd|^pw|token|secret|key|credential|auth|sig$|signature")
KEEPS_NO_SECRET = {"passfile", "sslkey", "ssl_key"}
"""Options of a database's address that sound like a secret and name a file."""


def local_path(name: str, path: str, is_file: bool = False) -> str:
    """A path on this machine, with `~` written out.

    Args:
        name: of the setting, for the message.
        path: as it was given; it need not be there yet.
        is_file: a file is meant, not a folder.

    Raises:
        ValueError: an object store, a drive of Windows, a variable that no shell has filled in; or something else is in its place.
    """
    shown = f"{name}={without_secret(path)!r}"
    kind = "file" if is_file else "folder"
    if not path.strip():
        raise ValueError(f"{name}: it is empty; name a {kind}.")
    if path != path.strip() or not path.isprintable():
        raise ValueError(f"{shown}: there are spaces at its ends, or characters that cannot be seen.")
    if re.match(r"[A-Za-z]:", path) or "\\" in path:
        raise ValueError(f"{shown}: a path of Windows. Write it as Linux does; under WSL, C:\\data is /mnt/c/data.")
    if scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path):
        raise ValueError(
            f"{shown}: {scheme[0]} begins an address, and a run reads and writes here. Name a {kind} of this machine, where such a store may be mounted."
        )
    if re.search(r"\$[\w{(]|`|%\w+%", path):
        raise ValueError(f"{shown}: no shell has filled in the variable. Write the path out.")
    if any(len(os.fsencode(part)) > LONGEST for part in path.split("/")):
        raise ValueError(f"{name}={path[:40]!r}...: a name in it is longer than {LONGEST} bytes. Choose a shorter one.")
    if is_file and path.endswith("/"):
        raise ValueError(f"{shown}: it ends as a folder does; name a file.")
    path = os.path.expanduser(path)
    if path.startswith("~"):
        raise ValueError(f"{shown}: there is no such user. Write the path out.")
    there = next((one for one in [Path(path), *Path(path).parents] if os.path.lexists(one)), Path("/"))
    if is_file and there == Path(path):
        if there.is_dir():
            raise ValueError(f"{shown}: it is a folder; name a file.")
    elif not there.is_dir():
        raise ValueError(f"{shown}: {there} is no folder. Name another {kind}.")
    return path


def tracking_address(uri: str) -> str:
    """The address of an MLflow store, with `~` written out.

    Raises:
        ValueError: it is no such address, keeps nothing, or holds a password. What is secret is not in the message.
    """
    dialect = re.sub(r"^(postgresql|mysql)\+\w+:", r"\1:", uri)  # a driver may be named
    begins = next((one for one in STORES if dialect.startswith(one)), None)
    if begins is None or not uri.isprintable() or uri != uri.strip():
        raise ValueError(
            f"tracking_uri={without_secret(uri)!r}: write a database such as sqlite:///out/mlflow.db, "
            "or the address of a server, http://... or https://..."
        )
    if begins == SQLITE:
        path, mark, options = uri.removeprefix(SQLITE).partition("?")
        if _names_a_secret(options):
            raise ValueError(
                f"tracking_uri={without_secret(uri)!r}: SQLite has no passwords. Write sqlite:///FILE alone."
            )
        if path in ("", ":memory:"):
            raise ValueError(f"tracking_uri={uri!r}: it keeps nothing. Name a file: sqlite:///out/mlflow.db.")
        return f"{SQLITE}{local_path('tracking_uri', path, is_file=True)}{mark}{options}"
    if _has_secret(uri):
        raise ValueError(
            f"tracking_uri={without_secret(uri)!r}: a password or token is in it, and addresses are kept with every run. {STORES[begins]}"
        )
    if begins.startswith("http") and not re.match(r"https?://[^/:]", uri):
        raise ValueError(f"tracking_uri={uri!r}: it names no server, as in http://localhost:5000.")
    return uri


def _has_secret(uri: str) -> bool:
    """Whether a user's password, or an option that sounds like a secret, is in an address; of an HTTP server anything beside host and path."""
    scheme, _, rest = uri.partition("://")
    before, at, after = rest.rpartition("@")
    host = re.split(r"[/?#;]", after, maxsplit=1)[0]
    if scheme.startswith("http"):
        return bool(at) or "%" in host or bool(re.search(r"[?#;]", rest))
    options = rest[len(re.split(r"[?#;]", rest, maxsplit=1)[0]) :]
    # After a host's colon comes its port, unless a password slipped there.
    return ":" in unquote(before) or bool(re.search(r":(?!\d*$)[^:\]]*$", host)) or _names_a_secret(options)


def _names_a_secret(options: str) -> bool:
    """Whether the options of an address have a name that sounds like a secret, or a value with one."""
    pairs = parse_qsl(re.sub(r"[;#?]", "&", options), True)
    names = [name.lower() for name, _ in pairs] + [
        name.lower() for _, value in pairs for name in re.findall(r"(\w+)\s*=", value)
    ]
    users = any(name.lower() == "user" and ":" in value for name, value in pairs)
    return users or any(SECRET.search(name) for name in set(names) - KEEPS_NO_SECRET)


def without_secret(address: str) -> str:
    """An address for a message or a log: without user, password and options."""
    begins = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/*", address)
    start = begins[0] if begins else ""
    rest = address[len(start) :]
    _, at, rest = re.sub("%40", "@", rest).rpartition("@")
    rest = re.sub(r"[?#;].*", "?***", rest, flags=re.DOTALL)
    return start + ("***@" if at else "") + re.sub(r":(?!\d*(/|$))[^/]*", ":***", rest)


def anchored(uri: str, folder: Path) -> str:
    """An address of which the file, if it is one and its path is relative, lies in a folder, whatever folder a process runs in."""
    return f"{SQLITE}{folder / uri.removeprefix(SQLITE)}" if uri.startswith(SQLITE) else uri


def sqlite_file(uri: str) -> Path | None:
    """The file of a store that is one."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]) if uri.startswith(SQLITE) else None


def unwritable(path: str | Path) -> Path | None:
    """The folder, there already, that keeps a path from being written, if there is one."""
    place = Path(path).absolute()
    there = next(one for one in [place, *place.parents] if one.exists())
    return None if os.access(there, os.W_OK | (os.X_OK if there.is_dir() else 0)) else there
