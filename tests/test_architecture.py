"""The house's rules that a program can hold: who imports whom, what the idle path loads, what is
named in the requirements.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

import pytest

from retraining.console.command_words import COMMANDS
from tests.projects import CLONE, ORCHESTRATOR, Project, environment_of_cron, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FACTS = (
    "__init__",
    "outcomes",
    "records",
    "errors",
    "endings",
    "masking",
    "metrics",
    "phrases",
    "console.byte_code",
    "env_file",
    "kill_points",
    "__version__",
)
CHOICES = (
    "statistics",
    "settings",
    "decisions",
    "ledger",
    "hindsight",
    "serialisation",
    "console",
    "folders",
    "logs",
    "drivers",
    "machine",
)
ROOMS = (
    "inbox",
    "datasets",
    "scoring",
    "trainer",
    "model_registry",
    "report",
    "sources",
    "notices",
)
# importing leftwards only
LAYERS = (
    FACTS,
    CHOICES,
    ("prediction_log",),
    ROOMS,
    ("project",),
    ("cycle", "serving"),
    ("commands", "registering", "new_project", "replay", "fleet", "engines"),
    ("cli",),
    ("__main__",),
)
SCRIPTS = (
    "pipeline_orchestrator.py", "prediction_service.py", "register_first_model.py",
    "train_classification_model.py",
)  # fmt: skip
# uvicorn is told to use two of them, of the third only its files are read
LOADED_BY_NAME = {"httptools", "uvloop", "swagger-ui-py"}
MODULES = sorted(CLONE.glob("retraining/**/*.py"))
MONGODB = CLONE / "retraining/sources/mongodb"


def layer_of(module: str) -> int:
    """Of `console.byte_code` itself where it has a place of its own, else of `console`."""
    for name in (module, room_of(module)):
        for height, names in enumerate(LAYERS):
            if name in names:
                return height
    return -1


def room_of(module: str) -> str:
    """The room of a module in one, or the module directly in `retraining/`."""
    return module.split(".", maxsplit=1)[0]


def home_of(path: Path) -> str:
    """The room, or the module, that a file belongs to."""
    return room_of(module_of(path))


def module_of(path: Path) -> str:
    """A file's dotted name below `retraining`."""
    return ".".join(path.relative_to(CLONE / "retraining").with_suffix("").parts)


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (
                (f"{node.module}.{alias.name}" for alias in node.names)
                if node.module == "retraining"
                else (node.module,)
            )
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CLONE)))
def test_imports_point_down_and_rooms_do_not_know_each_other(path: Path) -> None:
    module, home = module_of(path), home_of(path)
    assert layer_of(module) >= 0, f"{module} has no place in the layers"
    for name in imported(path):
        other = name.removeprefix("retraining.")
        if other == name or room_of(other) == home:
            continue
        assert layer_of(other) >= 0, f"{other} has no place in the layers"
        assert layer_of(other) <= layer_of(module), f"{module} imports {other}, which lies above it"
        rooms = {home, room_of(other)}
        assert not rooms <= set(ROOMS), f"the room {home} imports the room {room_of(other)}"


def test_only_the_registry_room_imports_mlflow() -> None:
    outside = [path for path in MODULES if home_of(path) != "model_registry"] + [
        CLONE / name for name in SCRIPTS
    ]
    assert [
        path for path in outside if any(name.split(".")[0] == "mlflow" for name in imported(path))
    ] == []


def test_no_module_outside_the_registry_room_spells_a_tag() -> None:
    """What MLflow holds is read as typed facts, and written by marks and verbs."""
    outside = [path for path in MODULES if home_of(path) != "model_registry"]
    scripts = [CLONE / name for name in SCRIPTS]
    tag = re.compile(r"""["'](retraining\.[a-z_]+|validation_status|mlflow\.note\.content)["']""")
    logger = {"retraining.output"}
    spelled = {
        (str(path.relative_to(CLONE)), name)
        for path in [*outside, *scripts]
        for name in tag.findall(path.read_text())
        if name not in logger and not (CLONE / name.replace(".", "/")).exists()
    }
    assert spelled == set()


def test_a_source_is_named_in_its_room_in_the_table_of_sources_and_in_the_settings_alone() -> None:
    """A new source must be no other module's business."""
    may_name = {"retraining/settings.py", "retraining/sources/__init__.py"}
    outside = [path for path in MODULES if not path.is_relative_to(MONGODB)]
    naming = {
        str(path.relative_to(CLONE))
        for path in outside
        if re.search("mongo|bson", path.read_text(), re.IGNORECASE)
    }
    assert naming <= may_name


@pytest.mark.parametrize(
    "recipe",
    sorted(CLONE.glob("**/train_classification_model.py")),
    ids=lambda path: path.parent.name,
)
def test_a_recipe_imports_nothing_of_ours(recipe: Path) -> None:
    if ".venv" not in recipe.parts and "build" not in recipe.parts:
        assert not [
            name for name in imported(recipe) if name.split(".")[0] in ("retraining", "mlflow")
        ]


def test_everything_imported_is_required_and_everything_required_is_imported() -> None:
    files = [
        *MODULES,
        *(CLONE / name for name in SCRIPTS),
        *CLONE.glob("mlflow_server/*.py"),
        *CLONE.glob("examples/electricity/*.py"),
    ]
    packages = {name.split(".")[0] for path in files for name in imported(path)} - set(
        sys.stdlib_module_names
    )
    ours = {"retraining", "examples", *(name.removesuffix(".py") for name in SCRIPTS)}
    asked, distributions = required("requirements.txt"), packages_distributions()
    extra = required("requirements-scale.txt")  # only an engine imports them
    by_package = {
        name: {distribution.lower() for distribution in distributions[name]}
        for name in packages - ours
    }
    assert {
        name for name, makers in by_package.items() if not makers & {*asked, *extra}
    } == set(), "imported, but not required"
    imported_ones = set().union(*by_package.values())
    assert asked.keys() - imported_ones == LOADED_BY_NAME, "required, but not imported"


@pytest.mark.parametrize(
    "name",
    [
        "requirements.txt",
        "requirements-dev.txt",
        "requirements-postgres.txt",
        "requirements-scale.txt",
    ],
)
def test_requirements_are_pinned_as_in_the_constraints_and_name_no_index(name: str) -> None:
    pinned = required("constraints.txt")
    for package, version in required(name).items():
        assert version == pinned[package], package
    assert "://" not in (CLONE / name).read_text() + (CLONE / "constraints.txt").read_text()
    assert not {"xgboost", "nvidia-nccl-cu12"} & pinned.keys()


def required(name: str) -> dict[str, str]:
    return {
        package.lower(): version
        for package, version in re.findall(
            r"^([A-Za-z0-9_.-]+)(?:\[\w+\])?==(\S+)", (CLONE / name).read_text(), re.M
        )
    }


LOADED = """
import sys
before = set(sys.modules)
sys.path.insert(0, {clone!r})
sys.argv = {argv!r}
import pipeline_orchestrator
from retraining.cli import main
try:
    code = main(sys.argv[1:], pipeline_orchestrator.run_cycle)
except SystemExit as ended:
    code = ended.code or 0
packages = {{name.split(".")[0] for name in set(sys.modules) - before}}
dear = packages & {{"asyncio", "dataclasses", "inspect", "logging"}}
foreign = packages - sys.stdlib_module_names - {{"retraining", "pipeline_orchestrator"}}
print("dear:", sorted(dear), file=sys.stderr)
print(code, sorted(foreign), file=sys.stderr)
"""


def loaded_by(project: Project, *words: str) -> list[str]:
    argv = [ORCHESTRATOR, *words, "--project", str(project.folder)]
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(clone=str(CLONE), argv=argv)],
        env=environment_of_cron(project.folder), cwd="/", capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stderr.splitlines()


def packages_loaded_by(project: Project, *words: str) -> str:
    return loaded_by(project, *words)[-1]


def test_a_closed_gate_loads_nothing_but_the_standard_library(registered: Project) -> None:
    registered.deliver(table(seed=9))
    assert registered.cycle()["ending"] == "too_few_files"
    assert packages_loaded_by(registered, "-q") == "0 []"


def test_a_closed_gate_loads_none_of_the_dear_modules_of_the_standard_library(
    registered: Project,
) -> None:
    assert loaded_by(registered)[-2] == "dear: []"


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("run", "--frobnicate"),
        *((name, "--help") for name in COMMANDS),
    ],
)
def test_help_version_and_a_wrong_command_line_load_nothing_but_the_standard_library(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert packages_loaded_by(Project.made(tmp_path / "project"), *words).endswith(" []")
