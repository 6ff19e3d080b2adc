"""Project folder + environment + `.env` -> one frozen `Settings`, checked all at once.

Standard library only: most cron runs end at the gate, and this is on their way.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from retraining.console.command_lines import ORCHESTRATOR, REGISTER, command_line
from retraining.env_file import nearest_name, read_env_file
from retraining.errors import SettingsError, UsageError
from retraining.machine import UNITS
from retraining.metrics import METRICS
from retraining.outcomes import PromotionRule, TriggerName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from retraining.metrics import Metric

    Parse = Callable[[str], Any]

POSTGRESQL = "postgresql+psycopg://"  # psycopg 3: requirements-postgres.txt
CLONE = Path(__file__).resolve().parent.parent
STATE_FOLDER = ".retraining"
SUGGESTED_THRESHOLDS = "suggested_thresholds"  # a table there: metric -> RETRAIN_THRESHOLD
RECIPE_NAME = "train_classification_model.py"
HIGHEST_PORT = 65535
TRIGGERS = get_args(TriggerName)
PROMOTION_RULES = get_args(PromotionRule)


# --- how one value is read: each takes the text and returns the value, or raises ValueError saying
# what is expected ---


def _whole(low: int) -> Parse:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]+", text) or int(text) < low:
            raise ValueError(f"a whole number of {low} or more")
        return int(text)

    return parse


def _number(low: float = -math.inf, high: float = math.inf, *, open_ends: bool = False) -> Parse:
    if high == math.inf:
        expected = "a number" if low == -math.inf else f"a number of {low:g} or more"
    else:
        expected = f"a number between {low:g} and {high:g}" + (
            ", both left out" if open_ends else ""
        )

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(expected) from None
        inside = low < value < high if open_ends else low <= value <= high
        if not inside or not math.isfinite(value):
            raise ValueError(expected)
        return value

    return parse


def _guess(text: str, choices: Sequence[str]) -> str:
    """What a slip of the keyboard may have meant, to follow the choices."""
    from retraining.phrases import likely_meant  # a start whose settings are right makes no guess

    meant = likely_meant(text, choices)
    return f" (did you mean {meant}?)" if meant else ""


def _one_of(*choices: str) -> Parse:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError("one of " + ", ".join(choices) + _guess(text, choices))
        return text.lower()

    return parse


def _some_of(*choices: str) -> Parse:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name.lower() for name in _names(text)))
        slips = [name for name in names if name not in choices]
        if not names or slips:
            guesses = "".join(_guess(name, choices) for name in slips)
            wanted = "one or more of " + ", ".join(choices) + ", separated by commas"
            raise ValueError(wanted + guesses)
        return names

    return parse


def _memory(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([KMG]?)B?", text.upper())
    size = 0 if found is None else int(float(found[1]) * UNITS.get(found[2], 1))
    if size < 1:
        raise ValueError("a number of bytes, or a number with K, M or G, such as 512M or 1.5G")
    return size


def _engine(text: str) -> str:
    found = re.fullmatch(r"dask|(dask|tls)://[^/\s:]+:([0-9]{1,5})", text)
    if found is None or not 1 <= int(found[2] or 1) <= HIGHEST_PORT:
        raise ValueError(
            "dask (this machine), dask://HOST:PORT or tls://HOST:PORT, with a port of 1 to"
            f" {HIGHEST_PORT}"
        )
    from importlib.util import find_spec  # a closed gate has no engine to look for

    if find_spec("distributed") is None:
        install = f"{sys.executable} -m pip install -c constraints.txt -r requirements-scale.txt"
        raise ValueError(f"usable without the package distributed: install it with `{install}`")
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _flag(text: str) -> bool:
    words = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }
    if text.lower() not in words:
        raise ValueError("true or false")
    return words[text.lower()]


class TrainWindow(NamedTuple):
    """What a version learns of the archive: the last batches whole, and of older ones a sample of
    as many rows as so many batches hold.
    """

    batches: int
    sampled: int = 0


def _window(text: str) -> TrainWindow | None:
    if text.lower() == "all":
        return None
    batches, plus, sampled = text.partition("+")
    try:
        at_least_one = _whole(1)
        of_older = int(at_least_one(sampled)) if plus else 0
        return TrainWindow(int(at_least_one(batches)), of_older)
    except ValueError:
        raise ValueError(
            "`all`, a number of batches such as 4, or 4+8 (4 batches, and a sample of older rows as"
            " large as 8)"
        ) from None


def _separator(text: str) -> str:
    text = {"\\t": "\t", "tab": "\t"}.get(text.lower(), text)
    if len(text) != 1 or text in '"\r\n' or not text.isascii():
        raise ValueError("one character, such as , or ; or \\t")
    return text


def _encoding(text: str) -> str:
    try:
        "".encode(text)  # hex, rot13 and the like are codecs too, but not of text
        return codecs.lookup(text).name
    except LookupError:
        raise ValueError("an encoding that Python knows, such as utf-8 or latin-1") from None


def _mlflow_name(text: str) -> str:
    if re.search(r"[/:'\"\x00-\x1f]", text):
        raise ValueError("a name without slash, colon, quotes or control characters")
    return text


def _alias(text: str) -> str:
    reserved = re.fullmatch(r"latest|v[0-9]+|challenger|previous_production", text, re.IGNORECASE)
    if reserved or not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError(
            "letters, digits, _ and - only, and not latest, v1, challenger or previous_production"
        )
    return text


def _url(text: str) -> str:
    if not re.match(r"https?://[^/\s]", text):
        raise ValueError("an address that starts with http:// or https://")
    return text


def _tracking_uri(text: str) -> str:
    if not re.match(
        r"https?://[^/\s]|sqlite(\+\w+)?:///.|(postgresql|mysql|mssql)(\+\w+)?://.", text
    ):
        raise ValueError(
            f"sqlite:///PATH, http(s)://HOST:PORT, {POSTGRESQL}USER@HOST/NAME, "
            "or a mysql or mssql address (a plain folder holds no registry)"
        )
    return re.sub("^postgresql://", POSTGRESQL, text)


def _log_uri(text: str) -> str:
    if not re.match(r"sqlite:///.|postgresql(\+psycopg)?://.", text):
        raise ValueError(f"sqlite:///PATH or {POSTGRESQL}USER:PASSWORD@HOST:PORT/DATABASE")
    return re.sub("^postgresql://", POSTGRESQL, text)


def _jwt_secret(text: str) -> str:
    if len(text.encode()) < 32:
        raise ValueError("32 bytes or more, as HS256 needs")
    return text


class Reading(NamedTuple):
    """How a setting is read from the environment.

    Attributes:
        deciding: judged files count again when it changes.
        secret: its value is never shown.
        also: older names that it is read by.
    """

    parse: Parse
    default: Any
    deciding: bool
    secret: bool
    also: tuple[str, ...]


_readings: list[Reading] = []  # in the order of the fields of `Settings`


def _setting(
    parse: Parse,
    default: Any,
    *,
    deciding: bool = False,
    secret: bool = False,
    also: tuple[str, ...] = (),
) -> Any:
    """The default of a field that is read from the environment.

    How it is read is kept in `READINGS`.
    """
    _readings.append(Reading(parse, default, deciding, secret, also))
    return default


NOTHING_PASSED_ON: Mapping[str, str] = {}


class Settings(NamedTuple):
    """Every setting of one project, typed and with absolute paths.

    Names and meanings are those of `.env.example`.

    A named tuple, like `Outcome`: a closed gate would pay for importing `dataclasses`.
    """

    project: Path
    # 0.8 for accuracy, else required: see `load`
    retrain_threshold: float = _setting(_number(), math.nan, deciding=True)
    mlflow_tracking_uri: str = _setting(
        _tracking_uri, "sqlite:///mlflow_server/backend_db/mlflow.db", secret=True
    )
    mlflow_experiment_name: str = _setting(_mlflow_name, "retraining")
    model_name: str = _setting(_mlflow_name, "classifier")
    production_alias: str = _setting(_alias, "production")
    new_data_dir: Path = _setting(Path, Path("new_data"))
    used_data_dir: Path = _setting(Path, Path("used_data"))
    quarantine_dir: Path = _setting(Path, Path("quarantine"))
    target_column: str = _setting(str, "target", deciding=True)
    ignore_columns: tuple[str, ...] = _setting(_names, (), deciding=True)
    positive_class: str | None = _setting(str, None, deciding=True)
    csv_separator: str = _setting(_separator, ",", deciding=True)
    csv_decimal: str = _setting(_one_of(".", ","), ".", deciding=True)
    csv_encoding: str = _setting(_encoding, "utf-8", deciding=True)
    min_new_files: int = _setting(_whole(1), 15)
    min_new_rows: int = _setting(
        _whole(0), 0, also=("MIN_DATA_FOR_TRAINING", "MIN_NEW_DATA_THRESHOLD")
    )
    min_file_age_seconds: float = _setting(_number(0), 5.0)
    metric: str = _setting(_one_of(*METRICS), "accuracy", deciding=True)
    retrain_when: tuple[TriggerName, ...] = _setting(
        _some_of(*TRIGGERS), ("threshold", "drop", "adaptive"), deciding=True
    )
    retrain_interval_days: float = _setting(_number(0), 1.0, deciding=True)
    promote_when: PromotionRule = _setting(_one_of(*PROMOTION_RULES), "better", deciding=True)
    min_improvement: float = _setting(_number(), 0.0, deciding=True)
    confidence: float = _setting(_number(0.5, 1, open_ends=True), 0.95, deciding=True)
    min_test_rows: int = _setting(_whole(1), 50, deciding=True)
    holdout_fraction: float = _setting(_number(0, 1, open_ends=True), 0.2, deciding=True)
    train_window: TrainWindow | None = _setting(_window, TrainWindow(4, 8), deciding=True)
    max_training_rows: int | None = _setting(_whole(10), None, deciding=True)
    max_training_memory: int | None = _setting(_memory, None)
    probation_batches: int = _setting(_whole(0), 1)
    min_model_accuracy: float | None = _setting(_number(0, 1), None, deciding=True)
    min_model_roc_auc: float | None = _setting(_number(0, 1), None, deciding=True)
    min_model_f1: float | None = _setting(_number(0, 1), None, deciding=True)
    slice_columns: tuple[str, ...] = _setting(_names, (), deciding=True)
    slice_max_loss: float = _setting(_number(0), 0.05, deciding=True)
    drift_threshold: float = _setting(_number(0), 0.1)
    max_unlabelled_share: float = _setting(_number(0, 1), 0.05)
    auto_retrain_enabled: bool = _setting(_flag, True)
    mongo_uri: str | None = _setting(str, None, secret=True)
    database_name: str | None = _setting(str, None)
    collection_name: str | None = _setting(str, None)
    mongo_rows_per_file: int = _setting(_whole(1), 1000)
    mongo_settle_seconds: float = _setting(_number(0), 600.0)
    healthcheck_url: str | None = _setting(_url, None, secret=True)
    webhook_url: str | None = _setting(_url, None, secret=True)
    webhook_secret: str | None = _setting(str, None, secret=True)
    metrics_textfile: Path | None = _setting(Path, None)
    prediction_log_uri: str = _setting(
        _log_uri, "sqlite:///predictions/predictions.db", secret=True
    )
    prediction_log_when_full: str = _setting(_one_of("drop", "refuse"), "drop")
    prediction_log_share: float = _setting(_number(0, 1), 1.0)
    prediction_retention_days: int | None = _setting(_whole(1), None)
    label_wait_days: float = _setting(_number(0), 0.0)
    label_if_silent: str | None = _setting(str, None)
    predictions_rows_per_file: int = _setting(_whole(1), 1000)
    predictions_file_wait_hours: float = _setting(_number(0), 24.0)
    drift_detection_window: int = _setting(_whole(1), 1000)
    drift_window_hours: float = _setting(_number(0), 24.0)
    reload_seconds: float = _setting(_number(0.1), 5.0)
    monitor_every_seconds: float = _setting(_number(1), 300.0)
    cycle_every_seconds: float | None = _setting(_number(1), None)
    max_request_bytes: int = _setting(_whole(1), 10 * 1024 * 1024)
    max_request_rows: int = _setting(_whole(1), 10_000)
    rate_limit: float | None = _setting(_number(0.001), None)
    allowed_hosts: tuple[str, ...] = _setting(_names, ())
    jwt_secret: str | None = _setting(_jwt_secret, None, secret=True)
    jwt_public_key_file: Path | None = _setting(Path, None)
    jwt_audience: str | None = _setting(str, None)
    engine: str | None = _setting(_engine, None)
    log_level: str = _setting(_one_of("debug", "info", "warning", "error"), "info")
    log_format: str = _setting(_one_of("text", "json"), "text")
    env_file: Path | None = None  # the one named instead of the project's `.env`
    passed_on: Mapping[str, str] = NOTHING_PASSED_ON  # not ours: AWS_*, ...

    def __repr__(self) -> str:
        """The project alone: some values are secrets."""
        return f"Settings({str(self.project)!r})"

    @property
    def state_dir(self) -> Path:
        """Lock, caches and logs; may be deleted at any time between cycles."""
        return self.project / STATE_FOLDER

    @property
    def recipe_path(self) -> Path:
        """The project's training recipe, or the shipped one where it has none."""
        own = self.project / RECIPE_NAME
        return own if own.is_file() else CLONE / RECIPE_NAME

    @property
    def prediction_log_file(self) -> Path | None:
        """The sqlite file of the prediction log, or None where it is a database server's."""
        from urllib.parse import unquote  # its import would cost a closed gate more than it does

        local = re.fullmatch(r"sqlite:///(.+)", self.prediction_log_uri)
        return None if local is None else Path(unquote(local[1]))

    @property
    def threshold_that_decides(self) -> float | None:
        """RETRAIN_THRESHOLD where `threshold` is among the triggers.

        Elsewhere it decides nothing and is not shown.
        """
        return self.retrain_threshold if "threshold" in self.retrain_when else None

    @property
    def has_prediction_log(self) -> bool:
        """Whether the job looks for labelled predictions: a sqlite log is there, or a server's is
        named.
        """
        path = self.prediction_log_uri.removeprefix("sqlite:///")
        if path == self.prediction_log_uri:
            return True
        # Only an escaped path needs the library that reads it.
        file = self.prediction_log_file if "%" in path else path
        return file is not None and os.path.exists(file)  # noqa: PTH110

    @property
    def greater_is_better(self) -> bool:
        """The direction of the metric."""
        return METRICS[self.metric].greater_is_better

    @property
    def floors(self) -> dict[str, float]:
        """Metric -> the least that a challenger must reach in it.

        Those of MIN_MODEL_* that are set.
        """
        floors = {
            "accuracy": self.min_model_accuracy,
            "roc_auc": self.min_model_roc_auc,
            "f1": self.min_model_f1,
        }
        return {name: floor for name, floor in floors.items() if floor is not None}

    @property
    def needs_probabilities(self) -> bool:
        """Whether METRIC or a floor is read from probabilities."""
        wanted = (self.metric, *self.floors)
        return any(METRICS[name].needs == "probabilities" for name in wanted)

    @property
    def command(self) -> str:
        """How a person starts the job on this project: for texts that say what to type."""
        return command_line(ORCHESTRATOR, CLONE, self.project, self.env_file)

    @property
    def register_command(self) -> str:
        """How a person starts `register_first_model.py` on this project."""
        return command_line(REGISTER, CLONE, self.project, self.env_file)

    @property
    def archive_as_typed(self) -> str:
        """The archive as `--train-from` takes it: relative to the project where it lies there."""
        import shlex  # a start that goes on does not need it

        folder = self.used_data_dir
        if folder.is_relative_to(self.project):
            folder = folder.relative_to(self.project)
        return shlex.quote(str(folder))

    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown: secret values, and the passwords inside addresses and
        passed-on names.
        """
        values = [
            str(getattr(self, name) or "") for name, reading in READINGS.items() if reading.secret
        ]
        values += [
            value
            for name, value in self.passed_on.items()
            if re.search(r"SECRET|PASSW|TOKEN|KEY", name)
        ]
        inside = [found for value in values for found in re.findall(r"://[^/@]*?:([^@]+)@", value)]
        addresses = (self.mlflow_tracking_uri, self.prediction_log_uri)
        shown = {address for address in addresses if not re.search(r"://[^/]*@", address)}
        long_enough = {value for value in [*values, *inside] if len(value) > 3}
        return tuple(sorted(long_enough - shown, key=len, reverse=True))


# Field -> how it is read. `project` comes before these fields, two that are not settings after
# them.
READINGS: Mapping[str, Reading] = dict(zip(Settings._fields[1:], _readings, strict=False))
SETTING_NAMES = tuple(name.upper() for name in READINGS)
_ALSO = {other: name.upper() for name, reading in READINGS.items() for other in reading.also}


def deciding_digest(settings: Settings) -> str:
    """A digest of the settings that decide, and of the recipe's bytes: judged files count again
    when it changes.
    """
    import hashlib

    deciding = [name for name, reading in READINGS.items() if reading.deciding]
    values = {name: getattr(settings, name) for name in deciding}
    recipe = hashlib.sha256(settings.recipe_path.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps([values, recipe], sort_keys=True).encode()).hexdigest()[:32]


def _absolute(path: Path) -> Path:
    # resolve() would follow a link that a person chose
    return Path(os.path.abspath(path))  # noqa: PTH100


def load(
    project: Path,
    environment: Mapping[str, str] | None = None,
    env_file: Path | None = None,
    *,
    policy: Mapping[str, str] | None = None,
    decides: bool = True,
) -> Settings:
    """Read and check every setting of a project: the environment beats `.env`, which beats the
    defaults.

    The lines of a `policy` beat them all; one that is empty asks for the default.

    With `decides`, settings that a cycle decides by must be there; registering, or reading, asks
    for none.

    Raises:
        UsageError: the project's folder, or an `env_file` that was named, is not there.
        SettingsError: one or more values cannot be used; all of them are named at once.
    """
    project = _absolute(project)
    if not project.is_dir():
        what = "is not a folder" if project.exists() else "is not there"
        raise UsageError(
            f"The project folder {project} {what}.",
            remedy="Correct the name; `init DIR FILES...` makes a new project.",
        )
    path = env_file if env_file is not None else project / ".env"
    if env_file is not None and not path.is_file():
        raise UsageError(
            f"The settings file {path} is not there.", remedy="Create it, or correct --env-file."
        )
    from_file, problems = read_env_file(path)
    known = set(SETTING_NAMES) | set(_ALSO)
    problems += [
        problem for name in from_file if name not in known for problem in nearest_name(name, known)
    ]
    # A workflow hands on each secret that is not set as an empty text.
    outside = {name: value for name, value in (environment or {}).items() if value.strip()}
    given = {**from_file, **outside, **(policy or {})}
    texts = {name: value for name, value in given.items() if value.strip()}
    values, wrong = _parsed(texts)
    problems += wrong + _contradictions(values, texts, project / STATE_FOLDER, decides=decides)
    if problems:
        raise SettingsError(tuple(problems), where=str(path))
    values["passed_on"] = {name: value for name, value in from_file.items() if name not in known}
    named = None if env_file is None else _absolute(env_file)
    return Settings(project=project, env_file=named, **_with_absolute_paths(values, project))


def _parsed(texts: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    problems = []
    for field, reading in READINGS.items():
        name = next((n for n in (field.upper(), *reading.also) if n in texts), None)
        if name is None:
            values[field] = reading.default
            continue
        text = texts[name]
        if field != "csv_separator" or text != "\t":
            text = text.strip()
        try:
            values[field] = reading.parse(text)
        except ValueError as error:
            shown = "its value" if reading.secret else repr(text)
            problems.append(f"{name}: {shown} is not {error}")
    return values, problems


def _contradictions(
    values: dict[str, Any], texts: Mapping[str, str], state_dir: Path, *, decides: bool
) -> list[str]:
    """What single values cannot show; fills in the threshold that depends on the metric."""
    problems: list[str] = []
    if "metric" in values:
        asked_for = decides and "threshold" in values.get("retrain_when", ())
        chosen = METRICS[values["metric"]]
        suggestion = _suggested(state_dir, chosen.name) if asked_for else ""
        problems += _threshold_problems(values, chosen, texts, asked_for, suggestion)
    if values.get("csv_separator") == values.get("csv_decimal"):
        problems.append("CSV_SEPARATOR and CSV_DECIMAL: the same character cannot be both")
    if values.get("target_column") in values.get("ignore_columns", ()):
        problems.append("IGNORE_COLUMNS: names the target column")
    mongo = [name for name in ("MONGO_URI", "DATABASE_NAME", "COLLECTION_NAME") if name in texts]
    if 0 < len(mongo) < 3:
        problems.append(
            "MONGO_URI, DATABASE_NAME, COLLECTION_NAME: set all three or none; set now:"
            f" {', '.join(mongo)}"
        )
    problems += _contradictions_of_access(texts)
    problems += _contradictions_of_silence(values)
    folders = [
        os.path.normpath(str(values[n]))
        for n in ("new_data_dir", "used_data_dir", "quarantine_dir")
    ]
    if len(set(folders)) < 3:
        problems.append(
            "NEW_DATA_DIR, USED_DATA_DIR, QUARANTINE_DIR: must be three different folders"
        )
    return problems


def _contradictions_of_access(texts: Mapping[str, str]) -> list[str]:
    keys = [name for name in ("JWT_SECRET", "JWT_PUBLIC_KEY_FILE") if name in texts]
    if len(keys) == 2:
        return ["JWT_SECRET and JWT_PUBLIC_KEY_FILE: tokens are signed one way, so set one of them"]
    if keys and "JWT_AUDIENCE" not in texts:
        return [f"JWT_AUDIENCE: required, since {keys[0]} is set: a token must be meant for us"]
    if "JWT_AUDIENCE" in texts and not keys:
        return ["JWT_AUDIENCE: needs JWT_SECRET or JWT_PUBLIC_KEY_FILE, which tokens are read by"]
    return []


def _contradictions_of_silence(values: dict[str, Any]) -> list[str]:
    """A row whose day is removed before its wait is over is never exported."""
    wait = values.get("label_wait_days", 0.0)
    kept = values.get("prediction_retention_days")
    if values.get("label_if_silent") is None or kept is None or kept >= wait:
        return []
    too_short = f"PREDICTION_RETENTION_DAYS: {kept} is less than LABEL_WAIT_DAYS={wait:g}"
    return [f"{too_short}: rows would be removed before LABEL_IF_SILENT gives them a label"]


def _threshold_problems(
    values: dict[str, Any],
    metric: Metric,
    texts: Mapping[str, str],
    asked_for: bool,
    suggestion: str,
) -> Iterator[str]:
    """What RETRAIN_THRESHOLD cannot be for a metric.

    Fills it in where the metric has a usual one.
    """
    threshold = values.get("retrain_threshold", 0.0)
    if "RETRAIN_THRESHOLD" in texts:
        if not metric.low <= threshold <= metric.high:
            values_it_has = f"between {metric.low:g} and {metric.high:g}"
            yield f"RETRAIN_THRESHOLD: {threshold:g} is not {values_it_has}, as {metric.name} is"
    elif metric.usual_threshold is not None:
        values["retrain_threshold"] = metric.usual_threshold
    elif asked_for:
        usual = " and ".join(
            one.name for one in METRICS.values() if one.usual_threshold is not None
        )
        yield (
            "RETRAIN_THRESHOLD: required, since RETRAIN_WHEN has threshold and METRIC is"
            f" {metric.name} (only {usual} has a default); {suggestion}"
        )


def _suggested(state_dir: Path, metric: str) -> str:
    """What the last registration noted for a metric, else who would say it."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads((state_dir / f"{SUGGESTED_THRESHOLDS}.json").read_bytes())
        suggested = float(noted["thresholds"][metric])
        return f"the registration of v{noted['version']} suggests {suggested:g}"
    return "register_first_model.py suggests one, if it can; or take threshold out of RETRAIN_WHEN"


def _with_absolute_paths(values: dict[str, Any], project: Path) -> dict[str, Any]:
    paths = {name: project / value for name, value in values.items() if isinstance(value, Path)}
    names = ("mlflow_tracking_uri", "prediction_log_uri")
    addresses = {name: _of_the_project(values[name], project) for name in names}
    return {**values, **paths, **addresses}


def _of_the_project(uri: str, project: Path) -> str:
    """A sqlite address with its relative path made the project's."""
    local = re.fullmatch(r"sqlite:///(?!/)(.+)", uri)
    if local is None:
        return uri
    # SQLAlchemy decodes the path
    folder = str(project).replace("%", "%25").replace("?", "%3F")
    return f"sqlite:///{folder}/{local[1]}"


def spelled_out(advice: str, settings: Settings) -> str:
    """Advice given where no project is known (`python pipeline_orchestrator.py check`), with the
    words that do it on this one.
    """
    spelled = advice.replace(f"python {ORCHESTRATOR}", settings.command)
    spelled = spelled.replace(f"python {REGISTER}", settings.register_command)
    return re.sub(
        r"--train-from used_data(?=[ `])",
        lambda _: f"--train-from {settings.archive_as_typed}",
        spelled,
    )
