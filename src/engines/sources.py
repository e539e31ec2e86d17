"""A fingerprint of code: of a module and of all that it imports, taken from the files, without importing any of it.

The cache compares inputs and settings; of a function that it is given by name, and of an executor, it sees the name. With the fingerprint among
the settings, edited code is run again, and code that has nothing to do with it is not.

What is in it
    The module; what it imports, anywhere in the file, absolute or relative, and what that imports, as long as it is no library (the
    standard library, or what is installed among the site packages); the `__init__` of every package on the way; modules that are named in a
    string, as for `importlib.import_module("package.extra")`; files of the package whose name, folder, pattern or ending such a module has in
    a string: `"words.json"`, `"lists"`, `"*.pbtxt"`, `".txt"`; and files in the folders above it that it has the path of.
    Of a module that imports by names which are made at run time (`DYNAMIC`): modules of the package whose name is a word in its strings; all,
    where there is none, or where it asks which there are.
What is not
    Imports for type checkers only, libraries, and other files outside the package: after a change of those, a run without the cache.
A process runs what it has imported, such as a notebook's kernel: after an edit it would run the old code, and record it as the new one's. So a
second fingerprint refuses a module that was edited since the first, unless it was loaded again.
The fingerprint follows from names within the package and from contents, so that it is the same on another machine.
"""

from __future__ import annotations

import ast
import fnmatch
import functools
import hashlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path

LIBRARIES = {"site-packages", "dist-packages"}
"""Folders of what is installed. A package that lies in one is a library, unless its own modules are asked for."""

NO_DATA = {".py", ".pyc", ".pyi", ".so"}

DYNAMIC = {
    "import_module",
    "__import__",
    "spec_from_file_location",
    "SourceFileLoader",
    "run_path",
    "run_module",
    "exec",
    "sys.path",
}
"""What imports, or runs, code by a name that need not stand in an import statement."""

LISTING = {"iter_modules", "walk_packages"}
"""What asks which modules there are."""

_loaded: dict[str, tuple[ModuleSpec, bytes]] = {}
"""Of modules that this process has loaded: by what, and the file's content when a fingerprint first saw them."""

Located = Mapping[str, Path]
"""Folders of packages by name, for those that are not to be looked up on Python's path."""


class EditedError(RuntimeError):
    """A process that has imported a module would run other code than its file holds now."""


def fingerprint(*modules: str, located: Located | None = None) -> str:
    """Another text when the code of these modules was edited, or that of a module that they import.

    Args:
        modules: full names, for example `package.model`.
        located: where their packages are; without, where Python would find them.

    Raises:
        ModuleNotFoundError: there is no such module.
        EditedError: this process has imported one of them, and its file was edited since.
    """
    digest = hashlib.sha256()
    for name, path in sorted(files(*modules, located=located).items()):
        content = path.read_bytes()
        _refuse_edited(name.removesuffix(".py"), path, content)
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def files(*modules: str, located: Located | None = None) -> dict[str, Path]:
    """The files that a fingerprint is taken of, by their names from the folder on in which their package lies.

    Args:
        modules: as for `fingerprint`.
        located: as for `fingerprint`.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    own = {name.partition(".")[0] for name in modules}
    found: dict[str, Path] = {}
    waiting, asked, read = list(modules), set(), set()
    while waiting:
        name = waiting.pop()
        for module, spec in () if name in asked else _on_the_way(name, own, located or {}):
            path = _file(spec)
            if module in read or path is None:
                continue
            read.add(module)
            found[f"{module}{path.suffix}"] = path
            if path.suffix == ".py":
                package = module if spec.submodule_search_locations else module.rpartition(".")[0]
                names, texts, words = _mentioned(path.read_bytes(), package, frozenset(own))
                beside = list(_beside(path, module.partition(".")[0], located or {}))
                waiting += names + (_named(beside, words) if words is not None else [])
                found |= _data(beside, texts) | _above(path, texts)
        asked.add(name)
    if missing := set(modules) - read:
        raise ModuleNotFoundError(f"There is no module {', '.join(sorted(missing))} to take a fingerprint of.")
    return found


def _refuse_edited(module: str, path: Path, content: bytes) -> None:
    """Compares a file with what it was when a fingerprint first saw the loaded module that it belongs to."""
    spec = getattr(sys.modules.get(module), "__spec__", None)
    if spec is None or spec.origin is None or Path(spec.origin) != path:
        return
    known, before = _loaded.get(module, (None, b""))
    if known is not spec:  # Python makes a new one when it loads a module again
        _loaded[module] = spec, content
    elif before != content:
        raise EditedError(
            f"{path} was edited since this process imported it, and the old code would run. Restart the notebook's kernel, or the program, and run again."
        )


def is_library(module: str) -> bool:
    """Whether a module comes with Python or was installed, so that it is not for a user to edit."""
    top = module.partition(".")[0]
    spec = None if top in sys.stdlib_module_names else _find(top)
    if spec is None:
        return True
    places = [*(spec.submodule_search_locations or ()), spec.origin or ""]
    return any(LIBRARIES & set(Path(place).parts) for place in places)


def _find(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top)
    except ValueError:  # a module that was made while running: it has no file
        return None


def _package(name: str, folder: Path) -> ModuleSpec | None:
    """A package that lies in a given folder."""
    return importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )


def _beside(path: Path, top: str, located: Located) -> Iterator[tuple[Path, Path]]:
    """The files of a module's package, and of the folders in it, each with the folder; of a module in no package, those beside it."""
    spec = _find(top) if top not in located else None
    folders = [located[top]] if top in located else [Path(one) for one in spec.submodule_search_locations or ()]
    for folder in folders or [path.parent]:
        for one in folder.rglob("*") if folders else folder.glob("*"):
            if "__pycache__" not in one.parts and one.is_file():
                yield one, folder


def _on_the_way(name: str, own: set[str], located: Located) -> Iterator[tuple[str, ModuleSpec]]:
    """The packages on the way to a module, and the module; what comes after is the name of something in it.

    `package.*` stands for all modules of a package. No parent is imported in order to look into it, as `importlib.util.find_spec` would.
    """
    top, *rest = name.split(".")
    if top not in own and top not in located and is_library(top):
        return
    module, spec = top, _package(top, located[top]) if top in located else _find(top)
    while spec:
        yield module, spec
        if not rest or not spec.submodule_search_locations:
            return
        part, *rest = rest
        places = list(spec.submodule_search_locations)
        if part == "*":
            for one in pkgutil.iter_modules(places):
                yield from _on_the_way(f"{module}.{one.name}", own, located)
            return
        module = f"{module}.{part}"
        finders = filter(None, map(pkgutil.get_importer, places))
        spec = next(filter(None, (finder.find_spec(module) for finder in finders)), None)


def _file(spec: ModuleSpec) -> Path | None:
    """The file of a module; a package without `__init__.py` has none."""
    path = Path(spec.origin) if spec.has_location and spec.origin else None
    return path if path and path.is_file() else None


@functools.lru_cache(maxsize=1024)
def _mentioned(
    source: bytes, package: str, own: frozenset[str]
) -> tuple[list[str], frozenset[str], frozenset[str] | None]:
    """The modules that a source file may import, the strings in it, and the words by which it may import others; None if it does not.

    Args:
        source: of the file.
        package: that its relative imports count from.
        own: packages whose modules may be named in a string as well.
    """
    try:
        reader = _Reader(package)
        reader.visit(ast.parse(source))
    except (SyntaxError, ValueError):  # who imports it is told by Python
        return [], frozenset(), None
    except RecursionError:  # Python may be able to import what is nested too deeply for this
        return [], frozenset(), frozenset()
    # Of "package.module:name", as entry points are written, the module.
    begins = [text.partition(":")[0] for text in reader.texts]
    named = [text for text in begins if re.fullmatch(r"\.*[^\W\d]\w*(\.\w+)*", text)]
    relative = [reader.absolute(text) for text in named if text.startswith(".")]
    reached = [reader.places.get(root, root) + rest for root, rest in reader.reached]
    in_own = [text for text in [*named, *reached] if text.partition(".")[0] in own]
    words = {word for text in [*reader.texts, *reader.names] for word in re.findall(r"\w+", text)}
    words = frozenset() if reader.used & LISTING else frozenset(words) if reader.used & DYNAMIC else None
    return [*reader.names, *relative, *in_own], frozenset(reader.texts), words


class _Reader(ast.NodeVisitor):
    """Collects imports and strings, but for what is there for type checkers only, and for docstrings."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.names: list[str] = []
        self.texts: set[str] = set()
        self.used: set[str] = set()
        self.places: dict[str, str] = {}
        self.reached: set[tuple[str, str]] = set()

    def absolute(self, name: str) -> str:
        """A name with a dot for each package to go up, the first for this one."""
        bare = name.lstrip(".")
        up = len(name) - len(bare)
        parts = self.package.split(".")
        return ".".join([*parts[: len(parts) - up + 1], bare]).strip(".") if up else bare

    def visit_Import(self, node: ast.Import) -> None:
        self.names += [name.name for name in node.names]
        self.places |= {name.asname: name.name for name in node.names if name.asname}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = self.absolute("." * node.level + (node.module or ""))
        self.names += [f"{base}.{name.name}" for name in node.names]
        self.places |= {name.asname or name.name: f"{base}.{name.name}" for name in node.names}
        self.used |= {name.name for name in node.names if not node.level}

    def visit_Name(self, node: ast.Name) -> None:
        self.used.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        root, _, rest = ast.unparse(node).partition(".")
        self.reached.add((root, f".{rest}"))
        self.used |= {node.attr, f"{root}.{rest}"}
        self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        only_types = getattr(node.test, "id", getattr(node.test, "attr", "")) == "TYPE_CHECKING"
        for child in node.orelse if only_types else ast.iter_child_nodes(node):
            self.visit(child)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and len(node.value) < 256:
            self.texts.add(node.value)


def _named(beside: Iterable[tuple[Path, Path]], words: frozenset[str]) -> list[str]:
    """Those modules of a package whose name is one of these words; all, if none is."""
    modules = {
        (path.parent if path.name == "__init__.py" else path.with_suffix("")): folder
        for path, folder in beside
        if path.suffix == ".py"
    }
    chosen = [path for path, folder in modules.items() if path.name in words and path != folder] or list(modules)
    return [".".join(path.relative_to(modules[path].parent).parts) for path in chosen]


def _data(beside: Iterable[tuple[Path, Path]], texts: frozenset[str]) -> dict[str, Path]:
    """Those of the files beside a module of which it has a name, a folder, a pattern or an ending in a string."""
    parts = {re.sub(r"%\w|\{.*?\}", "*", part) for text in texts for part in text.split("/")}
    patterns = [f"*{part}" for part in parts if re.fullmatch(r"[\w*? -]*\.[\w*?. -]+", part) and part.strip("*?.")]
    return {
        path.relative_to(folder.parent).as_posix(): path
        for path, folder in beside
        if path.suffix not in NO_DATA
        and (
            parts & {path.stem, *path.relative_to(folder).parts}
            or any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)
        )
    }


def _above(path: Path, texts: frozenset[str]) -> dict[str, Path]:
    """Files in one of three folders above that of a module, of which it has the path in a string."""
    paths = [text for text in texts if re.search(r"\w\.\w", text) and text.isprintable()]
    return {
        f"{'../' * up}{text}": parent / text
        for up, parent in enumerate(path.parents[1:4], 1)
        for text in paths
        if not text.startswith("/") and (parent / text).is_file()
    }
