"""Every kind of input that was thought of, made by code, each with its exact outcome.

The schema: numbers `speed` and `load`, boolean `ok`, string `city`, integer label `target` with
classes 0 and 1.
"""

from __future__ import annotations

import codecs
import gzip
import io
import struct
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retraining.datasets import UnseenValues
from retraining.records import Column, Schema

SCHEMA = Schema(
    columns=(
        Column("speed", "number"),
        Column("load", "number"),
        Column("ok", "boolean"),
        Column("city", "string", ("Oslo", "Rome")),
    ),
    target="target",
    label_kind="integer",
    classes=(0, 1),
    positive_class=1,
    ignored=("record_id",),
)
HEAD = "speed,load,ok,city,target\n"
ROWS = "1,10,true,Rome,0\n2.5,20,False,Oslo,1\n"
READ = [(1.0, 10.0, True, "Rome", 0), (2.5, 20.0, False, "Oslo", 1)]
SEMICOLONS = {"csv_separator": ";", "csv_decimal": ","}


@dataclass(frozen=True)
class Case:
    """A file's content, and either the rows it must be read as or words that the reason for
    refusing it must hold.
    """

    title: str
    content: bytes
    rows: list[tuple[Any, ...]] | None = None
    refused: tuple[str, ...] = ()
    name: str = "batch.csv"
    settings: dict[str, Any] = field(default_factory=dict)
    schema: Schema = SCHEMA
    facts: dict[str, Any] = field(default_factory=dict)


def read_as(title: str, text: str | bytes, rows: list[tuple[Any, ...]], **more: Any) -> Case:
    return Case(title, text.encode() if isinstance(text, str) else text, rows, **more)


def refused(title: str, text: str | bytes, *words: str, **more: Any) -> Case:
    return Case(title, text.encode() if isinstance(text, str) else text, refused=words, **more)


def one(
    speed: str = "1", load: str = "10", ok: str = "true", city: str = "Rome", target: str = "0"
) -> str:
    """A file of two rows of which the second holds these cells as they stand."""
    return f"{HEAD}1,10,true,Rome,1\n{speed},{load},{ok},{city},{target}\n"


def first_then(*row: Any) -> list[tuple[Any, ...]]:
    return [(1.0, 10.0, True, "Rome", 1), row]


def speed(text: str, value: float | None) -> Case:
    return read_as(
        f"a number written {text!r}", one(speed=text), first_then(value, 10.0, True, "Rome", 0)
    )


def no_number(text: str, *words: str) -> Case:
    return refused(
        f"no number: {text[:20]!r}",
        one(speed=text),
        "row 2 (line 3)",
        "'speed'",
        *(words or ("not a number",)),
    )


def ok(text: str, value: bool | None) -> Case:
    return read_as(
        f"a boolean written {text!r}", one(ok=text), first_then(1.0, 10.0, value, "Rome", 0)
    )


def city(cell: str, value: str | None) -> Case:
    return read_as(
        f"a text written {cell!r}", one(city=cell), first_then(1.0, 10.0, True, value, 0)
    )


def label(text: str, value: int) -> Case:
    return read_as(
        f"a label written {text!r}", one(target=text), first_then(1.0, 10.0, True, "Rome", value)
    )


def parquet(**columns: Any) -> bytes:
    """A Parquet file of two rows; keywords replace or add columns, None leaves one out."""
    plain = {
        "speed": [1.0, 2.5],
        "load": [10, 20],
        "ok": [True, False],
        "city": ["Rome", "Oslo"],
        "target": [0, 1],
    }
    kept = {name: values for name, values in {**plain, **columns}.items() if values is not None}
    sink = io.BytesIO()
    pq.write_table(pa.table(kept), sink)
    return sink.getvalue()


def of_parquet(title: str, rows: list[tuple[Any, ...]], **columns: Any) -> Case:
    return Case(title, parquet(**columns), rows, name="batch.parquet")


def refused_parquet(title: str, content: bytes, *words: str) -> Case:
    return Case(title, content, refused=words, name="batch.parquet")


ACCEPTED_STRUCTURE = [
    read_as("plain", HEAD + ROWS, READ),
    read_as("UTF-8 byte order mark", codecs.BOM_UTF8 + (HEAD + ROWS).encode(), READ),
    read_as("CR LF line ends", (HEAD + ROWS).replace("\n", "\r\n"), READ),
    read_as(
        "mixed line ends",
        "speed,load,ok,city,target\r\n1,10,true,Rome,0\n2.5,20,False,Oslo,1\r\n",
        READ,
    ),
    read_as("CR alone as line end, as old Macs wrote", (HEAD + ROWS).replace("\n", "\r"), READ),
    read_as(
        "CR CR LF, as a text-mode copy on Windows makes of CR LF",
        (HEAD + ROWS).replace("\n", "\r\r\n"),
        READ,
    ),
    read_as("no final newline", (HEAD + ROWS).rstrip(), READ),
    read_as(
        "blank lines anywhere", "\n\r\n" + HEAD + "\n" + ROWS.replace("\n", "\n\n") + "\n\n", READ
    ),
    read_as(
        "columns in another order",
        "target,city,load,speed,ok\n0,Rome,10,1,true\n1,Oslo,20,2.5,False\n",
        READ,
    ),
    read_as(
        "an extra column",
        "speed,load,remark,ok,city,target\n1,10,fine,true,Rome,0\n2.5,20,,False,Oslo,1\n",
        READ,
        facts={"extra_columns": ("remark",)},
    ),
    read_as(
        "an ignored column is not extra",
        "speed,load,record_id,ok,city,target\n1,10,x,true,Rome,0\n2.5,20,,False,Oslo,1\n",
        READ,
    ),
    read_as(
        "an index that pandas wrote along is one extra column",
        ",speed,load,ok,city,target\n0,1,10,true,Rome,0\n1,2.5,20,False,Oslo,1\n",
        READ,
        facts={"extra_columns": ("",)},
    ),
    read_as(
        "a separator after every cell, in the header too",
        "speed,load,ok,city,target,\n1,10,true,Rome,0,\n2.5,20,False,Oslo,1,\n",
        READ,
        facts={"extra_columns": ("",)},
    ),
    read_as(
        "every cell quoted",
        '"speed","load","ok","city","target"\n'
        '"1","10","true","Rome","0"\n"2.5","20","False","Oslo","1"\n',
        READ,
    ),
    read_as(
        "a quoted header with a newline in an extra column",
        '"a\nb",' + HEAD + "x,1,10,true,Rome,0\ny,2.5,20,False,Oslo,1\n",
        READ,
    ),
    read_as("a Unicode file name with spaces", HEAD + ROWS, READ, name="Köln Straße №5 .csv"),
    read_as("upper case in the name's ending", HEAD + ROWS, READ, name="BATCH.CSV"),
    read_as(
        "semicolons and decimal commas, when set",
        "speed;load;ok;city;target\n1;10;true;Rome;0\n2,5;20;False;Oslo;1\n",
        READ,
        settings=SEMICOLONS,
    ),
    read_as(
        "tabs, when set", (HEAD + ROWS).replace(",", "\t"), READ, settings={"csv_separator": "\t"}
    ),
    read_as(
        "Latin-1, when set",
        one(city="Zürich").encode("latin-1"),
        first_then(1.0, 10.0, True, "Zürich", 0),
        settings={"csv_encoding": "iso8859-1"},
    ),
    read_as(
        "UTF-16, when set",
        one(city="Zürich").encode("utf-16"),
        first_then(1.0, 10.0, True, "Zürich", 0),
        settings={"csv_encoding": "utf-16"},
    ),
    read_as(
        "Shift-JIS, when set",
        one(city="東京").encode("shift_jis"),
        first_then(1.0, 10.0, True, "東京", 0),
        settings={"csv_encoding": "shift_jis"},
    ),
    read_as("gzip named .csv.gz", gzip.compress((HEAD + ROWS).encode()), READ, name="batch.csv.gz"),
    read_as(
        "a cell of 100 KB", one(city="x" * 100_000), first_then(1.0, 10.0, True, "x" * 100_000, 0)
    ),
    read_as(
        "a row that begins with a byte order mark of its own",
        "city,speed,load,ok,target\n\ufeffRome,1,10,true,0\n",
        [(1.0, 10.0, True, "\ufeffRome", 0)],
    ),
]

ACCEPTED_CELLS = [
    *(speed(text, None) for text in ("", "NaN", "nan", "NULL", "null", "NA", "N/A", '""', '"NA"')),
    *(
        speed(text, value)
        for text, value in (
            ("1.5", 1.5),
            ("-3", -3.0),
            ("+3", 3.0),
            ("1e3", 1000.0),
            ("1E-2", 0.01),
            (".5", 0.5),
            ("5.", 5.0),
            ("007", 7.0),
            (" 4 ", 4.0),
            ('"4"', 4.0),
            ("-0", -0.0),
            ("9007199254740992", 2.0**53),
            ("-9007199254740992", -(2.0**53)),
            ("1e300", 1e300),
            ("1e-400", 0.0),
            ("12345678901234567890.5", 12345678901234567890.5),
            ("0.1", 0.1),
            ("5e-324", 5e-324),
            ("3.141592653589793238462643", 3.141592653589793),
        )
    ),
    *(
        ok(text, value)
        for text, value in (
            ("True", True),
            ("FALSE", False),
            ("tRuE", True),
            ("1", True),
            ("0", False),
            ("", None),
            ("NA", None),
            ("null", None),
            ('"true"', True),
        )
    ),
    *(
        city(cell, value)
        for cell, value in (
            ("007", "007"),
            ("NA", "NA"),
            ("null", "null"),
            ("", None),
            ('""', None),
            (" ", " "),
            (" Rome ", " Rome "),
            ("1.0", "1.0"),
            ("true", "true"),
            ('"Rome, Italy"', "Rome, Italy"),
            ('"two\nlines"', "two\nlines"),
            ('"two\r\nlines"', "two\r\nlines"),
            ('"5"" pipe"', '5" pipe'),
            ('""""', '"'),
            ("=1+1", "=1+1"),
            ("<b>", "<b>"),
            ("東京", "東京"),
            ("\u2028", "\u2028"),
            ("a\x0bb", "a\x0bb"),
            ("'", "'"),
            ("\\", "\\"),
            ("#", "#"),
        )
    ),
    *(
        label(text, value)
        for text, value in (
            ("1", 1),
            ("1.0", 1),
            ("0", 0),
            ("+1", 1),
            (" 1", 1),
            ("01", 1),
            ('"1"', 1),
            ("-0", 0),
            ("1.", 1),
        )
    ),
    read_as(
        "categories never seen are counted",
        HEAD
        + "1,10,true,Bonn,0\n1,10,true,Rome,1\n1,10,true,Bonn,1\n1,10,true,,1\n1,10,true,Kiel,1\n",
        [
            (1.0, 10.0, True, c, t)
            for c, t in (("Bonn", 0), ("Rome", 1), ("Bonn", 1), (None, 1), ("Kiel", 1))
        ],
        facts={"unseen_values": {"city": UnseenValues(3, 4, 0, 0, 1, "Bonn", None)}},
    ),
    read_as(
        "some rows without a label are counted",
        HEAD + ROWS + "3,30,true,Rome,\n4,40,true,Rome,NA\n",
        [*READ, (3.0, 30.0, True, "Rome", None), (4.0, 40.0, True, "Rome", None)],
        settings={"max_unlabelled_share": 0.5},
        facts={"rows": 4, "labelled_rows": 2, "unlabelled_rows": 2, "class_counts": {0: 1, 1: 1}},
    ),
    read_as(
        "a column without any value",
        HEAD + ",10,,,0\n,10,,,1\n",
        [(None, 10.0, None, None, 0), (None, 10.0, None, None, 1)],
    ),
]

REFUSED_STRUCTURE = [
    refused("zero bytes", b"", "empty"),
    refused("only a byte order mark", codecs.BOM_UTF8, "empty"),
    refused("blank lines only", b"\n\r\n\n", "no header"),
    refused("a header and no rows", HEAD, "no rows"),
    refused("a header and blank lines", HEAD + "\n\n\r\n", "no rows"),
    refused(
        "a row with a cell too many",
        HEAD + ROWS + "1,2,true,Rome,0,9\n" + ROWS,
        "row 3 (line 4)",
        "6 cells",
        "5",
    ),
    refused(
        "a row with a cell too few", HEAD + ROWS + "1,2,true,Rome\n", "row 3 (line 4)", "4 cells"
    ),
    refused(
        "a cell too many in every row",
        HEAD + ROWS.replace("\n", ",\n"),
        "row 1 (line 2)",
        "6 cells",
        "2 rows",
    ),
    refused(
        "an index in every row but not in the header",
        HEAD + "7,1,10,true,Rome,0\n8,2,20,true,Rome,1\n",
        "6 cells",
    ),
    refused("a line of blanks", HEAD + ROWS + "   \n", "row 3 (line 4)", "1 cell "),
    refused("cut off in the last row", (HEAD + ROWS)[:-10], "row 2 (line 3)", "3 cells"),
    refused(
        "a ragged row after a cell of two lines",
        HEAD + '1,10,true,"a\nb",0\n1,2\n',
        "row 2 (line 4)",
        "2 cells",
    ),
    refused(
        "a ragged row among CR LF line ends",
        (HEAD + ROWS + "1,2\n").replace("\n", "\r\n"),
        "row 3 (line 4)",
        "2 cells",
    ),
    refused(
        "an unclosed quote", HEAD + '1,10,true,"Rome,0\n' + ROWS, "quote", "line 2", "never closed"
    ),
    refused(
        "an unclosed quote that the next one closes",
        HEAD + '1,10,true,"Rome,0\n1,10,true,"Oslo",1\n',
        "stray quote",
        "line 3",
    ),
    refused("text after a closing quote", one(city='"Rome"x'), "stray quote", "line 3"),
    refused("a space after a closing quote", one(city='"Rome" '), "stray quote", "line 3"),
    refused(
        "a quote inside a cell that is not quoted", one(city='5" pipe'), "stray quote", "line 3"
    ),
    refused("a quote escaped with a backslash", one(city='"a\\"b"'), "stray quote", "line 3"),
    refused("a NUL byte", one(city="Ro\0me"), "NUL", "line 3"),
    refused(
        "invalid UTF-8",
        one(city="Z\udcfcrich").encode("utf-8", "surrogateescape"),
        "offset 54",
        "UTF-8",
        "CSV_ENCODING",
    ),
    refused("a surrogate in UTF-8", one().encode() + b"1,1,1,\xed\xa0\x80,1\n", "UTF-8"),
    refused("an overlong form in UTF-8", one().encode() + b"1,1,1,\xc0\xaf,1\n", "UTF-8"),
    refused("UTF-8 cut inside a character", HEAD.encode() + b"1,10,true,\xc3", "UTF-8"),
    refused("UTF-16", (HEAD + ROWS).encode("utf-16"), "UTF-16", "CSV_ENCODING=utf-16"),
    refused("UTF-16 without a mark", (HEAD + ROWS).encode("utf-16-le"), "NUL"),
    refused(
        "bytes that the set encoding lacks",
        b"\xff" + (HEAD + ROWS).encode(),
        "offset 0",
        "SHIFT_JIS",
        settings={"csv_encoding": "shift_jis"},
    ),
    refused(
        "half a character of the set encoding",
        one().encode() + b"1,1,1,\x93",
        "SHIFT_JIS",
        settings={"csv_encoding": "shift_jis"},
    ),
    refused(
        "a column twice",
        "speed,speed,load,ok,city,target\n1,1,10,true,Rome,0\n",
        "more than one column 'speed'",
    ),
    refused(
        "two columns without a name",
        ",,speed,load,ok,city,target\n1,1,1,10,true,Rome,0\n",
        "without a name",
    ),
    refused(
        "the header once more, as `cat a.csv b.csv` leaves it",
        HEAD + ROWS + HEAD + ROWS,
        "line 4 is the header once more",
    ),
    refused(
        "the header once more, between quotes and at the end",
        HEAD.replace("city", '"city"') + ROWS + HEAD.replace("city", '"city"').strip(),
        "line 4 is the header once more",
    ),
    *(
        refused(f"a missing value written {text!r}", one(speed=text), "without a value empty")
        for text in ("none", "#N/A", "\\N", "-", "?")
    ),
    refused("an extra column twice", "a,a," + HEAD + "x,x,1,10,true,Rome,0\n", "'a'"),
    refused("no header", ROWS, "no header"),
    refused(
        "a preamble",
        "exported 2026-11-20\n\n" + HEAD + ROWS,
        "header must be the first line",
        "2 other lines",
    ),
    refused("a comment line", "# made by hand\n" + HEAD + ROWS, "1 other line comes"),
    refused("a preamble as wide as the table", "a,b,c,d,e\n" + HEAD + ROWS, "1 other line comes"),
    refused(
        "a header in other case", HEAD.upper() + ROWS, "match exactly", "'SPEED' should be 'speed'"
    ),
    refused("one column in other case", "Speed" + HEAD[5:] + ROWS, "'Speed' should be 'speed'"),
    refused(
        "a space in a column's name",
        HEAD.replace("load", " load") + ROWS,
        "' load' should be 'load'",
    ),
    refused(
        "a byte order mark twice",
        codecs.BOM_UTF8 * 2 + (HEAD + ROWS).encode(),
        "'\\ufeffspeed' should be 'speed'",
    ),
    refused(
        "a renamed column",
        HEAD.replace("speed", "velocity") + ROWS,
        "column is missing: 'speed'",
        "'velocity'",
    ),
    refused("a missing column", "load,ok,city,target\n10,true,Rome,0\n", "'speed'"),
    refused("two missing columns", "ok,city,target\ntrue,Rome,0\n", "2 columns", "'speed', 'load'"),
    refused("no label column", "speed,load,ok,city\n1,10,true,Rome\n", "label column 'target'"),
    refused("JSON", '[{"speed": 1, "load": 2}]', "JSON"),
    refused("JSON lines", '{"speed": 1}\n{"speed": 2}\n', "JSON"),
    refused("HTML", "<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>", "HTML"),
    refused("HTML after a mark and blanks", "\ufeff\n  <html>", "HTML"),
    refused("XML", "<?xml version='1.0'?><rows/>", "XML"),
    refused("gzip named .csv", gzip.compress((HEAD + ROWS).encode()), "gzip"),
    refused("Excel named .csv", b"PK\x03\x04" + bytes(100), "Excel"),
    refused("Parquet named .csv", parquet(), "Parquet", ".parquet"),
    refused("SQLite named .csv", b"SQLite format 3\0" + bytes(100), "SQLite"),
    refused("random bytes", bytes(range(255, -1, -1)), "UTF-8"),
    refused(
        "a damaged gzip", gzip.compress((HEAD + ROWS).encode())[:-12], "gzip", name="batch.csv.gz"
    ),
    refused("text named .csv.gz", HEAD + ROWS, "gzip", name="batch.csv.gz"),
    refused(
        "semicolons where commas are set",
        (HEAD + ROWS).replace(",", ";"),
        "semicolon",
        "CSV_SEPARATOR",
    ),
    refused("tabs where commas are set", (HEAD + ROWS).replace(",", "\t"), "tab", "CSV_SEPARATOR"),
    refused(
        "commas where semicolons are set",
        HEAD + ROWS,
        "comma",
        "CSV_SEPARATOR",
        settings=SEMICOLONS,
    ),
    refused("another kind of file", HEAD + ROWS, ".csv or .parquet", name="batch.txt"),
    refused(
        "a field of 100 MB",
        (HEAD + "1,10,true," + "x" * 100_000_000 + ",0\n").encode(),
        "line 2",
        "4 MiB",
    ),
    refused(
        "a quoted field of 100 MB",
        (HEAD + '1,10,true,"' + "x\n" * 5_000_000 + '",0\n').encode(),
        "line 2",
        "4 MiB",
    ),
    refused(
        "a row of 5 MB between short ones",
        HEAD + ROWS + one(city="y" * 5_000_000)[len(HEAD) :] + ROWS,
        "line 5",
        "4 MiB",
    ),
    refused("half a million empty columns", "," * 500_000 + "\n", "without a name"),
]

REFUSED_CELLS = [
    *(
        no_number(text)
        for text in (
            "fast",
            '"1,234"',
            "1 234",
            "1_000",
            "0x10",
            "1d5",
            "1.2.3",
            "--1",
            "1e",
            "e5",
            ".",
            "-",
            "$5",
            "5%",
            "12abc",
            "٣",
            "\uff11",
            "1\u00a0",
            "'1'",
            "True",
            "None",
            "none",
            "n/a",
            "#N/A",
            "Null",
            " NA",
            "-na",
            "1e5.5",
            "2026-11-20",
            "12:30",
            "\x0b1",
            "½",
            "∞",
        )
    ),
    *(
        no_number(text, "not a finite number")
        for text in (
            "inf",
            "-inf",
            "Infinity",
            "INF",
            "1e400",
            "-1e400",
            "NAN",
            "-nan",
            "nan(1)",
            " nan",
            "9" * 400,
        )
    ),
    *(
        no_number(text, "2^53")
        for text in (
            "9007199254740993",
            "-9007199254740993",
            "12345678901234567890",
            "+9007199254740993",
            "0009007199254740993",
        )
    ),
    refused("a decimal comma where a point is set", one(speed='"2,5"'), "'2,5'", "not a number"),
    refused(
        "a decimal point where a comma is set",
        "speed;load;ok;city;target\n2.5;10;true;Rome;0\n",
        "'2.5'",
        settings=SEMICOLONS,
    ),
    refused(
        "thousands in the comma style",
        "speed;load;ok;city;target\n1.234,5;10;true;Rome;0\n",
        "'1.234,5'",
        settings=SEMICOLONS,
    ),
    refused(
        "the second of two bad rows is not named",
        HEAD + ROWS + "x,1,1,a,1\ny,1,1,a,1\n",
        "row 3 (line 4)",
        "'x'",
    ),
    *(
        refused(
            f"no boolean: {text!r}", one(ok=text), "row 2 (line 3)", "'ok'", "true, false, 0 or 1"
        )
        for text in ("yes", "T", "2", "1.0", " true", "-1", "on")
    ),
    *(
        refused(
            f"no integer label: {text!r}",
            one(target=text),
            "row 2 (line 3)",
            "'target'",
            "an integer",
        )
        for text in (
            "yes",
            "0.5",
            "1e0",
            "true",
            "1,",
            "0x1",
            "1_0",
            "inf",
            "٣",
            "9007199254740993",
            "9" * 5000,
        )
        if "," not in text
    ),
    refused(
        "too many missing labels",
        HEAD + "1,1,1,Rome,\n" * 6 + "1,1,1,Rome,1\n" * 94,
        "6 of 100 rows",
        "MAX_UNLABELLED_SHARE",
    ),
    refused("no label at all", HEAD + "1,1,1,Rome,\n", "1 of 1 rows"),
    refused(
        "a reason shows no control characters", one(speed="\x1b[31mred\x07"), "'\\x1b[31mred\\x07'"
    ),
    refused("a reason shows letters of any language", one(speed="größer"), "'größer'"),
    refused("a reason shows no text that reorders itself", one(speed="a\u202eb"), "'a\\u202eb'"),
    refused("a reason is short", one(speed="z" * 10_000), "10,000 characters"),
]

STRING_LABELS = Schema((Column("a", "number"),), "t", "string", ("NA", "no", "yes"))
BOOLEAN_LABELS = Schema((Column("a", "number"),), "t", "boolean", (False, True))
OTHER_LABELS = [
    read_as(
        "string labels are exactly what stands there",
        "a,t\n1,NA\n2,yes\n",
        [(1.0, "NA"), (2.0, "yes")],
        schema=STRING_LABELS,
    ),
    read_as(
        "boolean labels in any case",
        "a,t\n1,TRUE\n2,false\n3,0\n4,1\n",
        [(1.0, True), (2.0, False), (3.0, False), (4.0, True)],
        schema=BOOLEAN_LABELS,
    ),
    refused(
        "no boolean label",
        "a,t\n1,yes\n",
        "'yes' in column 't' is not true, false, 0 or 1 (the classes are False, True)",
        schema=BOOLEAN_LABELS,
    ),
]

# of no project: each has a schema of its own
OTHER_COLUMNS = [
    read_as(
        "a header of numbers alone, which a row may equal",
        "0,1\n0,1\n2,0\n",
        [(0.0, 1), (2.0, 0)],
        schema=Schema((Column("0", "number"),), "1", "integer", (0, 1)),
    ),
    read_as(
        "the header's text in a cell of several lines",
        'a,t\n"x\na,t\ny",yes\n',
        [("x\na,t\ny", "yes")],
        schema=Schema((Column("a", "string"),), "t", "string", ("no", "yes")),
    ),
]

DECIMALS = [Decimal("1.00"), Decimal("2.50")]
NOT_UTF8 = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff\xfe", b"x"]).buffers())


def _flipped() -> bytes:
    """A file whose pages have checksums, with another number in a page than was written."""
    sink = io.BytesIO()
    plain = pq.read_table(io.BytesIO(parquet()))
    pq.write_table(plain, sink, compression="none", use_dictionary=False, write_page_checksum=True)
    content = sink.getvalue()
    assert content.count(struct.pack("<2d", 1.0, 2.5)) == 1
    return content.replace(struct.pack("<2d", 1.0, 2.5), struct.pack("<2d", 1.0, 3.5))


FLIPPED = _flipped()
PARQUET = [
    of_parquet("Parquet", READ),
    of_parquet(
        "Parquet, columns in another order and an extra one", READ, target=[0, 1], remark=["a", "b"]
    ),
    of_parquet(
        "Parquet with nulls",
        [(None, 10.0, None, "Rome", 0), (2.5, 20.0, False, None, 1)],
        speed=[None, 2.5],
        ok=[None, False],
        city=["Rome", None],
    ),
    of_parquet(
        "Parquet with NaN", [(None, 10.0, True, "Rome", 0), READ[1]], speed=[float("nan"), 2.5]
    ),
    of_parquet(
        "Parquet with an empty text", [(1.0, 10.0, True, None, 0), READ[1]], city=["", "Oslo"]
    ),
    of_parquet(
        "Parquet with float32, int8, uint64",
        READ,
        speed=pa.array([1, 2.5], pa.float32()),
        load=pa.array([10, 20], pa.int8()),
        target=pa.array([0, 1], pa.uint64()),
    ),
    of_parquet("Parquet with decimals", READ, speed=pa.array(DECIMALS, pa.decimal128(10, 2))),
    of_parquet(
        "Parquet with dictionaries", READ, city=pa.array(["Rome", "Oslo"]).dictionary_encode()
    ),
    of_parquet(
        "Parquet with large strings", READ, city=pa.array(["Rome", "Oslo"], pa.large_string())
    ),
    of_parquet(
        "Parquet with integers as texts",
        [(1.0, 10.0, True, "7", 0), (2.5, 20.0, False, "8", 1)],
        city=[7, 8],
    ),
    of_parquet("Parquet with booleans as 0 and 1", READ, ok=[1, 0]),
    of_parquet("Parquet with labels as floats", READ, target=[0.0, 1.0]),
    of_parquet("Parquet with labels as texts", READ, target=["0", "1"]),
    of_parquet(
        "Parquet with a column of nulls",
        [(None, 10.0, True, None, 0), (None, 20.0, False, None, 1)],
        speed=pa.nulls(2),
        city=pa.nulls(2),
    ),
    of_parquet("Parquet with a nested extra column", READ, extra=[{"a": 1}, {"a": 2}]),
    refused_parquet("zero bytes named .parquet", b"", "empty"),
    refused_parquet("CSV named .parquet", (HEAD + ROWS).encode(), "no Parquet file", ".csv"),
    refused_parquet("Parquet cut short", parquet()[:-20], "damaged"),
    refused_parquet(
        "Parquet with a damaged page",
        bytes(b ^ 255 if 4 <= i < 40 else b for i, b in enumerate(parquet())),
        "damaged",
    ),
    refused_parquet("Parquet with invalid UTF-8", parquet(city=NOT_UTF8), "damaged"),
    refused_parquet("Parquet with a flipped bit that its checksums show", FLIPPED, "damaged"),
    refused_parquet("only the magic of Parquet", b"PAR1PAR1", "damaged"),
    refused_parquet(
        "Parquet without rows",
        parquet(
            speed=pa.array([], pa.float64()),
            load=pa.array([], pa.int64()),
            ok=pa.array([], pa.bool_()),
            city=pa.array([], pa.string()),
            target=pa.array([], pa.int64()),
        ),
        "no rows",
    ),
    refused_parquet("Parquet with a missing column", parquet(speed=None), "'speed'"),
    refused_parquet("Parquet without a label", parquet(target=None), "label column 'target'"),
    refused_parquet(
        "Parquet in other case", parquet(speed=None, SPEED=[1.0, 2.0]), "'SPEED' should be 'speed'"
    ),
    refused_parquet(
        "Parquet with infinity", parquet(speed=[1.0, float("inf")]), "row 2", "'speed'", "finite"
    ),
    refused_parquet(
        "Parquet with an integer beyond 2^53", parquet(load=[1, -(2**53) - 1]), "row 2", "2^53"
    ),
    refused_parquet(
        "Parquet with a uint64 beyond 2^53",
        parquet(load=pa.array([1, 2**64 - 1], pa.uint64())),
        "row 2",
        "2^53",
    ),
    refused_parquet(
        "Parquet with a whole decimal beyond 2^53",
        parquet(load=pa.array([Decimal(1), Decimal(10**20)], pa.decimal128(30, 0))),
        "row 2",
        "2^53",
    ),
    refused_parquet(
        "Parquet with texts for numbers", parquet(speed=["1", "2"]), "'speed'", "string", "numbers"
    ),
    refused_parquet(
        "Parquet with booleans for numbers", parquet(speed=[True, False]), "'speed'", "bool"
    ),
    refused_parquet("Parquet with floats for texts", parquet(city=[1.0, 2.0]), "'city'", "double"),
    refused_parquet(
        "Parquet with a nested column", parquet(speed=[{"a": 1}, {"a": 2}]), "'speed'", "struct"
    ),
    refused_parquet("Parquet with lists", parquet(city=[["a"], ["b"]]), "'city'", "list"),
    refused_parquet(
        "Parquet with time stamps for numbers",
        parquet(speed=pa.array([1, 2], pa.timestamp("us"))),
        "'speed'",
        "timestamp",
    ),
    refused_parquet("Parquet with bytes for texts", parquet(city=[b"a", b"b"]), "'city'", "binary"),
    refused_parquet("Parquet with 2 as a boolean", parquet(ok=[1, 2]), "row 2", "'2'", "'ok'"),
    refused_parquet(
        "Parquet with half a label", parquet(target=[0.0, 0.5]), "row 2", "'target'", "an integer"
    ),
    refused_parquet("Parquet with too few labels", parquet(target=[None, 1]), "1 of 2 rows"),
]

CASES = [
    *ACCEPTED_STRUCTURE,
    *ACCEPTED_CELLS,
    *REFUSED_STRUCTURE,
    *REFUSED_CELLS,
    *OTHER_LABELS,
    *PARQUET,
]
