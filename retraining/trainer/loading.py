"""Loads a recipe as a module, which may import helper modules from its own folder.

The modules of a project are importable only while its recipe runs; before and after that they are
not in `sys.modules`. So two projects in one process never see each other's helpers, and an edited
helper is read again. Cloudpickle pickles by reference only what it finds in `sys.modules`, so the
helpers' code is in each version. The recipe's own module stays there, registered for pickling
by value.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import io
import os
import sys
import tokenize
import types
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from retraining.errors import RecipeError
from retraining.trainer.output import printable_only, stdout_to_log
from retraining.trainer.sudden_end import no_sudden_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OUR_PACKAGE = Path(__file__).resolve().parent.parent
WHOLE, IN_PARTS = "train_model", "train_model_in_parts"  # the functions of a recipe
LONGEST_MESSAGE = 400  # characters of an error's own text
REMEDY = (
    "Mend the recipe; `python pipeline_orchestrator.py check` tries it without touching anything."
)


@dataclass(frozen=True)
class Recipe:
    """A loaded recipe.

    Attributes:
        path: of its file, absolute.
        text: of its file.
        sha256: of its file's bytes.
        module: the file, executed.
        train_model: its function that learns from one table.
        helpers: the modules that it imported from its own folder, by name.
        train_model_in_parts: its function that learns from parts; None if it has none.
    """

    path: Path
    text: str
    sha256: str
    module: types.ModuleType = field(repr=False)
    train_model: Callable[..., Any] = field(repr=False)
    helpers: dict[str, types.ModuleType] = field(repr=False, default_factory=dict)
    train_model_in_parts: Callable[..., Any] | None = field(repr=False, default=None)

    @property
    def code_sha256(self) -> str:
        """A digest of all code of the project that trains: the recipe's file and its helpers'."""
        files = {Path(str(module.__file__)) for module in self.helpers.values() if module.__file__}
        digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)]
        return hashlib.sha256("\n".join([self.sha256, *digests]).encode()).hexdigest()


def load_recipe(path: Path) -> Recipe:
    """Execute the file, also if it was loaded before, and find its functions.

    Raises:
        RecipeError: the file cannot be read, is no Python, fails when executed, has no
            `train_model(X_train, y_train)`, or a `train_model_in_parts` that takes something else
            than `parts`.
    """
    path = path.resolve()
    source = _bytes_of(path)
    sha256 = hashlib.sha256(source).hexdigest()
    module = types.ModuleType(f"{path.stem}_{sha256[:12]}")
    module.__file__ = str(path)
    helpers: dict[str, types.ModuleType] = {}
    try:
        with project_importable(path.parent, helpers), stdout_to_log(), no_sudden_end():
            # dataclasses and cloudpickle look a class's module up there
            sys.modules[module.__name__] = module
            cloudpickle.register_pickle_by_value(module)
            code = compile(source, str(path), "exec", dont_inherit=True)
            exec(code, module.__dict__)  # noqa: S102 - a recipe is code to execute
        text = source.decode(tokenize.detect_encoding(io.BytesIO(source).readline)[0])
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        sys.modules.pop(module.__name__, None)
        raise RecipeError(
            f"The training recipe {path} cannot be loaded: {describe(error, path)}", remedy=REMEDY
        ) from error
    in_parts = None
    if hasattr(module, IN_PARTS):
        in_parts = _function_of(module, path, IN_PARTS, ("parts",))
    whole = _function_of(module, path, WHOLE, ("X_train", "y_train"))
    return Recipe(path, text, sha256, module, whole, helpers, in_parts)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecipeError(
            f"The training recipe {path} cannot be read: {error.strerror}",
            remedy="Put the recipe back.",
        ) from error


def _function_of(
    module: types.ModuleType, path: Path, name: str, arguments: tuple[str, ...]
) -> Callable[..., Any]:
    """The module's function of that name, which must take so many positional arguments."""
    function = getattr(module, name, None)
    called = f"{name}({', '.join(arguments)})"
    if not callable(function):
        problem = f"has a {name} that is not a function"
        if function is None:
            problem = f"defines no function {name}"
        raise RecipeError(
            f"The training recipe {path} {problem}; it needs {called}",
            remedy=REMEDY,
        )
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        raise RecipeError(
            f"The training recipe {path} cannot be called as {called}: {error}",
            remedy=REMEDY,
        ) from error
    except ValueError:  # compiled code may have no signature to look at
        pass
    return function  # type: ignore[no-any-return]  # getattr on a module is Any


def describe(error: BaseException, path: Path) -> str:
    """What was raised, and where in the recipe or in a helper, on one line."""
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    words = " ".join(printable_only(message).split()).removesuffix(".")
    if len(words) > LONGEST_MESSAGE:
        words = f"{words[:LONGEST_MESSAGE]}..."
    described, place = type(error).__name__, _place_of(error, path)
    if place:
        described += f" in {place}"
    if words:
        described += f": {words}"
    return described


def _place_of(error: BaseException, path: Path) -> str:
    """The line of the project's own code where it was raised, or that is no Python; else empty."""
    places = [(error.filename, error.lineno)] if isinstance(error, SyntaxError) else []
    trace = error.__traceback__
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    own = [(file, line) for file, line in places if file and _is_inside(file, path.parent)]
    if not own:
        return ""
    file, line = own[0] if isinstance(error, SyntaxError) else own[-1]
    if file == str(path):
        return f"line {line}"
    return f"{os.path.relpath(file, path.parent)}, line {line}"


@contextmanager
def project_importable(folder: Path, helpers: dict[str, types.ModuleType]) -> Iterator[None]:
    """Make the modules in `folder` importable for a while.

    `helpers` holds those that were imported before; new ones are added to it at the end.
    """
    path_before, bytecode_before = list(sys.path), sys.dont_write_bytecode
    with project_hidden(folder):
        sys.path.insert(0, str(folder))
        sys.dont_write_bytecode = True  # a project is the user's: nothing is left in it
        importlib.invalidate_caches()
        sys.modules.update(helpers)
        try:
            yield
        finally:
            helpers.update(_modules_in(folder))
            sys.path[:], sys.dont_write_bytecode = path_before, bytecode_before


@contextmanager
def project_hidden(folder: Path) -> Iterator[None]:
    """Make the modules in `folder` not importable for a while, as where a version is served."""
    path_before, modules_before = list(sys.path), _modules_in(folder)
    _forget(modules_before)
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != str(folder)]
    try:
        yield
    finally:
        sys.path[:] = path_before
        _forget(_modules_in(folder))
        sys.modules.update(modules_before)


def _modules_in(folder: Path) -> dict[str, types.ModuleType]:
    """The modules that were imported from the project, by name.

    The script that runs and the recipe itself are not among them: these two have no spec.
    """
    modules = {}
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
        if any(_is_inside(place, folder) for place in places if place):
            modules[name] = module
    return modules


def _forget(modules: dict[str, types.ModuleType]) -> None:
    for name in modules:
        sys.modules.pop(name, None)


def _is_inside(file: str, folder: Path) -> bool:
    """Whether a file is the project's own: in its folder, but not ours or a Python's there."""
    return file.startswith(f"{folder}{os.sep}") and not file.startswith(_foreign_parts(folder))


@functools.cache  # asked for every module there is
def _foreign_parts(folder: Path) -> tuple[str, ...]:
    """What lies in a project's folder and is not its own: this package, and a Python."""
    parts = (OUR_PACKAGE, Path(sys.prefix), Path(sys.base_prefix))
    return tuple(f"{part}{os.sep}" for part in parts if part.is_relative_to(folder))
