"""A pickled estimator, loaded with the code of one's own that it refers to, or the cause by name
why it cannot be.
"""

from __future__ import annotations

import pickletools
import re
import sys
import sysconfig
import warnings
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from retraining.errors import UsageError
from retraining.logs import log
from retraining.phrases import first_few
from retraining.registering.script_code import scripts_as_main
from retraining.trainer import project_importable, stdout_to_log

if TYPE_CHECKING:
    import types
    from collections.abc import Iterator, Sequence

_LIBRARIES = ("scikit-learn", "numpy", "pandas", "scipy")
_OF_LIBRARIES = ("sklearn", "numpy", "pandas", "scipy")
_SKLEARN_VERSION = re.compile(
    rb"_sklearn_version.{1,8}?([0-9]+\.[0-9]+(?:\.[0-9a-z]+)*)", re.DOTALL
)
_IN_MAIN = re.compile(r"'(\w+)' on <module '__main__'")
CODE_FOLDERS = ("src", "scripts", "lib")  # of a project, beside its own folder
WAY_ON = "or train a first model here, with --train-from"


def load_pickle(path: Path, project: Path) -> Any:
    """The estimator in a file that a person trusts.

    Classes and functions of the script that wrote it, and modules that stood beside the script, are
    found in the pickle's folder or the project's. What is found there is pickled by value from now
    on: the version needs none of these files.

    Raises:
        UsageError: it cannot be unpickled, for a cause that is named; or what it holds has no
            `predict`.
    """
    import joblib

    folders = _folders_of_code(path.resolve(), project.resolve())
    helpers: dict[str, types.ModuleType] = {}
    with ExitStack() as scope:
        noted = scope.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        for folder in reversed(folders):  # the pickle's own folder comes first on the path
            scope.enter_context(project_importable(folder, helpers))
        scope.enter_context(scripts_as_main(folders))
        scope.enter_context(stdout_to_log())
        try:
            estimator = joblib.load(path)  # reads plain pickles too
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(
                f"{path} cannot be unpickled here: {_cause(error, path, folders)}.",
                remedy=_remedy(error, folders),
            ) from error
    _pass_on(noted, path)
    if not callable(getattr(estimator, "predict", None)):
        raise UsageError(
            f"{path} holds a {type(estimator).__name__}, which has no predict.",
            remedy="Pickle a fitted estimator.",
        )
    _carry_by_value(estimator)
    return estimator


def _folders_of_code(path: Path, project: Path) -> list[Path]:
    """Where the code of a pickle may stand, the likeliest first."""
    usual = [project / name for name in CODE_FOLDERS]
    everywhere = [path.parent, project, *(folder for folder in usual if folder.is_dir())]
    return list(dict.fromkeys(everywhere))


def _pass_on(noted: Sequence[warnings.WarningMessage], path: Path) -> None:
    """Show what the libraries said of this pickle, such as scikit-learn of another version: the
    first, and how many more.
    """
    warned = [one.message for one in noted if issubclass(one.category, UserWarning)]
    said = list(dict.fromkeys(" ".join(str(message).split()) for message in warned))
    if said:
        more = f" ({len(said) - 1} more like this)" if len(said) > 1 else ""
        log.warning("%s: %s%s", path.name, said[0], more)


def _carry_by_value(estimator: Any) -> None:
    """Let cloudpickle put the code of every module into the version that no installed package
    brings.
    """
    seen: set[str] = set()
    while names := {name.partition(".")[0] for name in referred_to_by(estimator)} - seen:
        seen |= names
        for name in sorted(names):
            module = sys.modules.get(name)
            if module is not None and not _is_installed(module):
                cloudpickle.register_pickle_by_value(module)


def _is_installed(module: types.ModuleType) -> bool:
    """Whether a module comes with Python or with a package, and not from somebody's folder."""
    file = getattr(module, "__file__", None)
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return file is None or any(Path(file).is_relative_to(place) for place in places)


def referred_to_by(estimator: Any) -> set[str]:
    """Modules that an estimator's pickle looks its classes and functions up in."""
    return set(_modules_referred_to(cloudpickle.dumps(estimator)))


def _cause(error: Exception, path: Path, folders: Sequence[Path]) -> str:
    where = first_few(map(str, folders), 4)
    if isinstance(error, ModuleNotFoundError) and not _is_of_a_library(error):
        return (
            f"it needs the module {error.name!r}, which is not installed, and there is no "
            f"{str(error.name).partition('.')[0]}.py in {where}"
        )
    name = _IN_MAIN.search(str(error))
    if isinstance(error, AttributeError) and name is not None:
        return (
            f"it needs {name[1]!r} of the script that wrote it, and no script in {where} defines it"
        )
    return f"{type(error).__name__}: {error}; {_versions(path)}"


def _is_of_a_library(error: ModuleNotFoundError) -> bool:
    return str(error.name).partition(".")[0] in _OF_LIBRARIES


def _versions(path: Path) -> str:
    """Versions now, and what the pickle says of the version it was written with."""
    now = ", ".join(f"{name} {metadata.version(name)}" for name in _LIBRARIES)
    written = _SKLEARN_VERSION.search(path.read_bytes())
    if written is None:
        return f"installed here: {now}"
    return f"it was written with scikit-learn {written[1].decode()}; installed here: {now}"


def _remedy(error: Exception, folders: Sequence[Path]) -> str:
    if isinstance(error, ModuleNotFoundError) and not _is_of_a_library(error):
        name = str(error.name).partition(".")[0]
        return (
            f"Install the package that brings {name!r}, or put {name}.py into {folders[0]};"
            f" {WAY_ON}."
        )
    if isinstance(error, AttributeError) and _IN_MAIN.search(str(error)):
        return f"Put that script into {folders[0]}; only its definitions are read; {WAY_ON}."
    return f"Install the versions that it was written with and pickle it anew; {WAY_ON}."


def packages_of(estimator: Any) -> frozenset[str]:
    """Top-level modules that an estimator's pickle refers to: what must be installed where it is
    loaded.
    """
    names = (name.partition(".")[0] for name in referred_to_by(estimator))
    return frozenset(names) - sys.stdlib_module_names


def _modules_referred_to(content: bytes) -> Iterator[str]:
    """Modules by whose name a pickle's classes and functions are looked up, and modules that its
    functions use.
    """
    texts: list[str] = []  # in the order in which the pickle names them
    memo: list[str | None] = []
    last: str | None = None
    wants_module = False  # cloudpickle names a module that a function uses right after this
    for code, argument, _ in pickletools.genops(content):
        if code.name == "MEMOIZE":
            memo.append(last)
            continue
        last = None
        if "UNICODE" in code.name:
            last = str(argument)
        elif code.name in ("BINGET", "LONG_BINGET"):
            last = memo[int(str(argument))]
        if last is not None:
            texts.append(last)
            if wants_module:
                yield last
                wants_module = False
        if code.name == "STACK_GLOBAL":
            module, name = texts[-2:]
            yield module
            wants_module = name == "subimport"
