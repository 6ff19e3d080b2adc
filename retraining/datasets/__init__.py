"""From the bytes of a data file to a typed table, or to a reason for refusing it."""

from retraining.datasets.blocks import Block, cut_into_blocks, reserve
from retraining.datasets.columns import UNLABELLED, UnknownLabel
from retraining.datasets.data_files import ChangedFileError
from retraining.datasets.facts import FileFacts
from retraining.datasets.frames import (
    column_words,
    features,
    features_and_labels,
    label_codes,
    label_values,
    row_hashes,
)
from retraining.datasets.parquet_reading import types_not_learnable
from retraining.datasets.parts import Part, cut_into_parts
from retraining.datasets.row_hashes import spread_words
from retraining.datasets.schema_inference import read_schema_from
from retraining.datasets.spelling import known_by_spelling, spelling_key
from retraining.datasets.tables import TableStore
from retraining.datasets.unseen_values import (
    UnseenValues,
    with_learned_categories,
    with_these_categories,
)

__all__ = [
    "UNLABELLED",
    "Block",
    "ChangedFileError",
    "FileFacts",
    "Part",
    "TableStore",
    "UnknownLabel",
    "UnseenValues",
    "column_words",
    "cut_into_blocks",
    "cut_into_parts",
    "features",
    "features_and_labels",
    "known_by_spelling",
    "label_codes",
    "label_values",
    "read_schema_from",
    "reserve",
    "row_hashes",
    "spelling_key",
    "spread_words",
    "types_not_learnable",
    "with_learned_categories",
    "with_these_categories",
]
