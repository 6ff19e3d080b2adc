"""Simulate the readings of a fleet with driver assistance, and whether the driver had to intervene,
under a drift whose truth is known.

A reading needs an intervention where `risk` is above a limit; then the label is flipped with
FLIP_PROBABILITY. So the best possible accuracy is 1 - FLIP_PROBABILITY whatever the scenario, and
what changes, when, and by how much is what `truth` says:

    none            nothing changes
    covariate-only  more snow, night and towns from the drift on; the rule that makes the label
    stays
    sudden          another rule from the drift on (a software update: the car brakes for obstacles,
    the driver's attention decides)
    gradual         the new rule takes over row by row, linearly over `width` batches
    recurring       old and new rule take turns every `width` batches

A batch depends on the seed, the scenario and its number only: the same arguments write the same
bytes, whatever was written before.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SCENARIOS = ("none", "covariate-only", "sudden", "gradual", "recurring")
HERE = Path(__file__).resolve().parent
TARGET = "intervention_needed"
WEATHER = ("Clear", "Rainy", "Foggy", "Snowy")
ROADS = ("Highway", "Urban", "Rural")
LIGHTS = ("Daylight", "Night", "Dusk/Dawn")
# share of readings that a sensor loses
LOST = {"driver_attention_level": 0.02, "distance_to_obstacle_m": 0.01, "weather_conditions": 0.01}
SENT_TWICE = 0.005
FIRST_READING = pd.Timestamp("2026-01-01T00:00:00Z")

# What adds to the risk, by column: per standard unit of a number, or per value of a word.
OLD_RULE: dict[str, Any] = {
    "vehicle_speed_kmh": 0.9, "distance_to_obstacle_m": -1.4, "front_collision_warning": 1.2,
    "driver_attention_level": -0.5,
    "brake_pedal_position": 0.5, "weather_conditions": {"Rainy": 0.5, "Foggy": 0.8, "Snowy": 1.0},
}  # fmt: skip
NEW_RULE: dict[str, Any] = {
    "vehicle_speed_kmh": -0.2, "distance_to_obstacle_m": 0.2, "lane_departure_warning": 1.3,
    "driver_attention_level": -1.4,
    "steering_angle_degrees": 0.5, "light_conditions": {"Night": 1.2, "Dusk/Dawn": 0.6},
    "road_type": {"Rural": 0.8},
}  # fmt: skip
USUAL = {  # mean and standard deviation of a number in usual traffic
    "vehicle_speed_kmh": (72.0, 30.0), "distance_to_obstacle_m": (40.0, 28.0),
    "driver_attention_level": (0.71, 0.16),
    "brake_pedal_position": (18.0, 17.0), "steering_angle_degrees": (0.0, 12.0),
    "lane_departure_warning": (0.0, 1.0),
    "front_collision_warning": (0.0, 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """What holds in a batch: the share of rows labelled by the new rule, and whether traffic is as
    usual.
    """

    new_rule: float
    usual_traffic: bool


def truth(scenario: str, batch: int, *, drift_at: int = 10, width: int = 5) -> Truth:
    """Return what holds in a batch, counted from 0; a drift starts with the batch `drift_at`."""
    since = batch - drift_at
    shares = {
        "sudden": float(since >= 0),
        "gradual": min(max((since + 1) / width, 0.0), 1.0),
        "recurring": float((batch // width) % 2),
    }
    return Truth(
        shares.get(scenario, 0.0), usual_traffic=not (scenario == "covariate-only" and since >= 0)
    )


def readings(rows: int, rng: np.random.Generator, *, usual_traffic: bool = True) -> pd.DataFrame:
    """Return whole sensor readings, shape (rows, 13), without identity, label or loss."""
    words = {
        "weather_conditions": (
            WEATHER,
            [0.60, 0.22, 0.10, 0.08] if usual_traffic else [0.25, 0.25, 0.15, 0.35],
        ),
        "road_type": (ROADS, [0.40, 0.35, 0.25] if usual_traffic else [0.15, 0.65, 0.20]),
        "light_conditions": (LIGHTS, [0.60, 0.25, 0.15] if usual_traffic else [0.25, 0.60, 0.15]),
    }
    drawn = {name: rng.choice(values, rows, p=shares) for name, (values, shares) in words.items()}
    cruising = (
        pd.Series(drawn["road_type"])
        .map({"Highway": 105.0, "Urban": 40.0, "Rural": 70.0})
        .to_numpy()
    )
    speed = np.clip(rng.normal(cruising, 14), 0, 180)
    distance = np.clip(rng.gamma(2.0, 20.0, rows), 1, 250)
    brake = np.clip(rng.normal(30 - 0.3 * distance, 18), 0, 100)
    return pd.DataFrame(
        {
            "vehicle_speed_kmh": speed.round(1),
            "distance_to_obstacle_m": distance.round(1),
            "lane_departure_warning": rng.random(rows) < 0.12,
            "front_collision_warning": rng.random(rows) < np.where(distance < 20, 0.35, 0.05),
            "driver_attention_level": rng.beta(5, 2, rows).round(3),
            **drawn,
            "steering_angle_degrees": np.clip(rng.normal(0, 12, rows), -90, 90).round(1),
            "accelerator_pedal_position": (
                np.where(brake > 25, 0, np.clip(rng.normal(35, 18, rows), 0, 100)).round(1)
            ),
            "brake_pedal_position": brake.round(1),
            "gps_latitude": rng.normal(48.78, 0.12, rows).round(5),
            "gps_longitude": rng.normal(9.18, 0.18, rows).round(5),
        }
    )


def risk(table: pd.DataFrame, rule: dict[str, Any]) -> np.ndarray:
    """Return the risk of each reading under a rule, linear in standard units of the numbers and in
    the words.
    """
    total = np.zeros(len(table))
    for name, weight in rule.items():
        if isinstance(weight, dict):
            total += table[name].map(weight).fillna(0.0).to_numpy()
        else:
            mean, deviation = USUAL[name]
            total += weight * (table[name].to_numpy(dtype=float) - mean) / deviation
    return total


@cache
def _usual() -> pd.DataFrame:
    return readings(20_000, np.random.default_rng(0))


def needs_intervention(table: pd.DataFrame, rule: dict[str, Any], imbalance: float) -> np.ndarray:
    """Return the true labels under a rule whose limit lies where, in usual traffic, a share
    `imbalance` of the readings is above.
    """
    return risk(table, rule) > float(np.quantile(risk(_usual(), rule), 1 - imbalance))


def simulate(batch: int, rows: int, options: argparse.Namespace) -> pd.DataFrame:
    """Return one batch as it is delivered: identity, readings with losses and repeats, label.

    Shape (rows, 16).
    """
    rng = np.random.default_rng([options.seed, batch])
    now = truth(options.scenario, batch, drift_at=options.drift_at, width=options.width)
    table = readings(rows, rng, usual_traffic=now.usual_traffic)
    new, old = (needs_intervention(table, rule, options.imbalance) for rule in (NEW_RULE, OLD_RULE))
    needed = np.where(rng.random(rows) < now.new_rule, new, old) ^ (
        rng.random(rows) < options.flip_probability
    )
    table[TARGET] = needed.astype(int)
    for name, share in LOST.items():
        table[name] = table[name].mask(rng.random(rows) < share)
    number = batch * rows + np.arange(rows)
    table.insert(0, "record_id", [f"{options.seed}-{n:09d}" for n in number])
    table.insert(
        1,
        "timestamp",
        (FIRST_READING + pd.to_timedelta(number, unit="s")).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    repeated = np.where(rng.random(rows) < SENT_TWICE, np.arange(rows) - 1, np.arange(rows)).clip(
        min=0
    )
    return table.iloc[repeated].reset_index(drop=True)


def write_file(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV file that is whole before it has its name."""
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("w", encoding="utf-8", newline="") as file:
        table.to_csv(file, index=False, lineterminator="\n")
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)


def documents(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a document for each row; a value that was lost is a field left out."""
    records = table.astype(object).to_dict(orient="records")
    return [
        {str(name): value for name, value in record.items() if not pd.isna(value)}
        for record in records
    ]


def parser() -> argparse.ArgumentParser:
    """Return the flags; FLIP_PROBABILITY is read from the environment too."""
    flags = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    flags.add_argument("--scenario", choices=SCENARIOS, default="none", help="what drifts")
    flags.add_argument("--batches", type=_count, default=1, help="how many batches to write")
    flags.add_argument(
        "--first-batch",
        type=int,
        default=0,
        help="number of the first; numbers go on over the life of a fleet",
    )
    flags.add_argument("--rows", type=_count, default=1500, help="readings in a batch")
    flags.add_argument("--files", type=_count, default=15, help="files that a batch is cut into")
    flags.add_argument(
        "--drift-at", type=int, default=10, help="number of the first batch that drifts"
    )
    flags.add_argument(
        "--width",
        type=_count,
        default=5,
        help="batches that a gradual drift takes, or that a recurring rule holds",
    )
    flags.add_argument(
        "--imbalance",
        type=_share,
        default=0.25,
        help="share of readings that need an intervention in usual traffic",
    )
    flip = os.environ.get("FLIP_PROBABILITY", "0.05")
    flags.add_argument(
        "--flip-probability", type=_share, default=flip, help="share of labels that are wrong"
    )
    flags.add_argument("--seed", type=int, default=0, help="another seed is another fleet")
    flags.add_argument(
        "--rate", type=float, default=0.0, help="readings a second; 0 is as fast as it goes"
    )
    flags.add_argument(
        "--into", type=Path, default=HERE / "new_data", help="folder that the files go to"
    )
    flags.add_argument(
        "--mongo-uri", default="", help="insert documents there instead of writing files"
    )
    flags.add_argument("--database", default="fleet", help="with --mongo-uri")
    flags.add_argument("--collection", default="readings", help="with --mongo-uri")
    return flags


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"a share from 0 to below 1 is needed, not {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"a number of 1 or more is needed, not {text}")
    return value


def _delivery(options: argparse.Namespace) -> Callable[[pd.DataFrame, str], object]:
    if not options.mongo_uri:
        options.into.mkdir(parents=True, exist_ok=True)
        return lambda table, name: write_file(table, options.into / name)
    from pymongo import MongoClient

    client: Any = MongoClient(options.mongo_uri, serverSelectionTimeoutMS=10_000)
    collection = client[options.database][options.collection]
    return lambda table, _name: collection.insert_many(documents(table))


def main(arguments: Sequence[str] | None = None) -> int:
    """Deliver the batches, one line on stdout for each."""
    options = parser().parse_args(arguments)
    deliver = _delivery(options)
    for batch in range(options.first_batch, options.first_batch + options.batches):
        table = simulate(batch, options.rows, options)
        for number, part in enumerate(np.array_split(np.arange(len(table)), options.files)):
            deliver(table.iloc[part], f"fleet_{batch:04d}_{number:02d}.csv")
            time.sleep(len(part) / options.rate if options.rate else 0)
        now = truth(options.scenario, batch, drift_at=options.drift_at, width=options.width)
        traffic = "usual traffic" if now.usual_traffic else "winter nights in town"
        print(
            f"batch {batch}: {len(table)} readings, {table[TARGET].mean():.0%} positive,"
            f" {now.new_rule:.0%} by the new rule, {traffic}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
