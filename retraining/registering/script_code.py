"""What a pickle calls `__main__`: classes and functions of the script that wrote it, found in the
project again.

Only the definitions that the pickle names are taken, with what these use themselves; the rest of
the script, which would train again, is never run. They live in a module of their own that
cloudpickle puts into the version by value.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import types
from contextlib import contextmanager
from importlib.util import decode_source
from typing import TYPE_CHECKING, Any

import cloudpickle

from retraining.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAIN = "__main__"


@contextmanager
def scripts_as_main(folders: Sequence[Path]) -> Iterator[None]:
    """Let `__main__` be what the scripts of these folders define, for a while.

    The first folder that has a name decides.

    Raises:
        UsageError: while it is looked up, two scripts of a folder are found to define a name
            differently.
    """
    real = sys.modules[MAIN]
    sys.modules[MAIN] = _ScriptsAsMain(folders)
    try:
        yield
    finally:
        sys.modules[MAIN] = real


class _ScriptsAsMain(types.ModuleType):
    """A module whose attributes are looked for in scripts when a pickle first asks for them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__(MAIN)
        self._folders = folders
        self._scripts: dict[Path, _Script] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for folder in self._folders:
            found = [script for script in self._scripts_in(folder) if script.defines(name)]
            if found:
                _refuse_two_meanings(name, found)
                return found[0].value(name)
        raise AttributeError(f"no script defines {name}")

    def _scripts_in(self, folder: Path) -> Iterator[_Script]:
        for path in sorted(folder.glob("*.py")):
            if path not in self._scripts:
                self._scripts[path] = _Script(path)
            yield self._scripts[path]


def _refuse_two_meanings(name: str, scripts: Sequence[_Script]) -> None:
    texts = {script.text_of(name) for script in scripts}
    if len(texts) > 1:
        places = ", ".join(str(script.path) for script in scripts)
        raise UsageError(
            f"The pickle refers to {name!r}, which these files define differently: {places}.",
            remedy="Leave the file there that the pickle was written with.",
        )


class _Script:
    """One Python file: its statements by the names that they bind, executed one by one as they are
    needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        source = path.read_bytes()
        self._executed: set[int] = set()
        self._statements = _statements(source)
        self._binds = [_names_bound(statement) for statement in self._statements]
        digest = hashlib.sha256(source).hexdigest()
        self._module = types.ModuleType(f"{path.stem}_{digest[:12]}")
        self._module.__file__ = str(path)

    def defines(self, name: str) -> bool:
        """Whether a class or function of that name stands at the top level of the file."""
        return any(
            isinstance(one, (ast.ClassDef, ast.FunctionDef)) and one.name == name
            for one in self._statements
        )

    def text_of(self, name: str) -> str:
        """The definition, free of comments and layout."""
        return "\n".join(ast.dump(self._statements[place]) for place in self._places_of(name))

    def value(self, name: str) -> Any:
        """The class or function, with all that it uses defined before it."""
        if self._module.__name__ not in sys.modules:
            sys.modules[self._module.__name__] = self._module
            cloudpickle.register_pickle_by_value(self._module)
        needed = self._needed_for(name)
        body = [self._statements[place] for place in sorted(needed - self._executed)]
        self._executed |= needed
        code = compile(ast.Module(body, []), str(self.path), "exec", dont_inherit=True)
        exec(code, self._module.__dict__)  # noqa: S102 - the person trusts the pickle that names it
        return getattr(self._module, name)

    def _places_of(self, name: str) -> list[int]:
        return [place for place, names in enumerate(self._binds) if name in names]

    def _needed_for(self, name: str) -> set[int]:
        needed: set[int] = set()
        places = [*self._places_of("annotations"), *self._places_of(name)]
        while places:
            place = places.pop()
            if place not in needed:
                needed.add(place)
                for used in _names_used(self._statements[place]):
                    places += self._places_of(used)
        return needed


def _statements(source: bytes) -> list[ast.stmt]:
    """The statements of a file, but for what it does when it is started.

    None where it is no Python.
    """
    try:
        body = ast.parse(decode_source(source)).body
    except (SyntaxError, UnicodeDecodeError):
        return []  # somebody's notes: nothing can have been pickled from it
    return [one for one in body if not (isinstance(one, ast.If) and "__name__" in _names_used(one))]


def _names_used(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _names_bound(statement: ast.stmt) -> set[str]:
    """Names that a statement makes at the top level of its file."""
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    if isinstance(statement, (ast.Try, ast.If, ast.With)):
        inner = [one for one in ast.iter_child_nodes(statement) if isinstance(one, ast.stmt)]
        return set().union(*map(_names_bound, inner))
    stored = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {node.id for node in stored if isinstance(node.ctx, ast.Store)}
