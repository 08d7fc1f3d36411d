# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Programs that collect figures: docs/monitoring.md."""

from __future__ import annotations

import csv
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.interface.hosts import Mounter, filesystem_of
from tests.interface.tree import Tree, fails, wait_until
from tests.tools.programs import UNPACKED, environment, find, run

JOBS = """
CREATE TABLE job(id INTEGER PRIMARY KEY, state TEXT);
INSERT INTO job(state) VALUES('new'), ('new'), ('new'), ('done'), ('"odd" \\ one
of two lines');
CREATE VIEW jobs AS SELECT state, count(*) AS value, 'Jobs by state: new \\ done
and others.' AS help, 'gauge' AS type FROM job GROUP BY state ORDER BY count(*) DESC, state;
CREATE VIEW jobs_waiting AS SELECT count(*) AS value, 'Those in state new.' AS help
  FROM job WHERE state = 'new';
"""
BY_STATE = {"new": 3.0, "done": 1.0, '"odd" \\ one\nof two lines': 1.0}
NOBODY = 65534
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


@pytest.fixture
def jobs(tree: Tree) -> Tree:
    """A tree with views to watch."""
    tree.run(JOBS)
    return tree


# promtool


def test_promtool_takes_every_file(jobs: Tree) -> None:
    jobs.run(
        """CREATE VIEW odd_total AS SELECT 9e999 AS value, 'counter' AS type, '' AS "größe",
             x'00ff' AS "1", CAST(x'61ff62' AS TEXT) AS no_utf8, 'a' || char(0) || 'b' AS nul
           UNION ALL SELECT -0.0, 'counter', char(13), '{}', ',', '#' UNION ALL
           SELECT NULL, NULL, NULL, NULL, NULL, NULL;
         CREATE VIEW none AS SELECT 1 AS value WHERE 0;
         CREATE VIEW later AS SELECT 1 AS value, 1700000000123 AS timestamp, 'When.' AS help"""
    )
    # So that none of the engine's own figures is 0 any more.
    with fails("ENOENT"):
        jobs.run("SELECT * FROM nowhere;")
    names = sorted(os.listdir(jobs / "metrics"))
    assert names == sorted(
        [
            "jobs.prom",
            "jobs_waiting.prom",
            "ksqlfs.prom",
            "later.prom",
            "none.prom",
            "odd_total.prom",
        ]
    )
    for name in names:
        run("promtool", "check", "metrics", stdin=jobs.text(f"metrics/{name}"))


def test_promtool_would_find_what_is_wrong() -> None:
    run("promtool", "check", "metrics", stdin='m{a="\n"} 1\n', status=1)


# node_exporter


@pytest.fixture(scope="session")
def loopback() -> None:
    """The loopback interface, which in the VM nobody else has made ready."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(sock, SIOCGIFFLAGS, request))
        if not flags & IFF_UP:
            fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


@contextmanager
def node_exporter(folder: Path, user: int | None = None) -> Iterator[str]:
    """Serve what is in a folder; gives the address."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with tempfile.TemporaryDirectory() as place:
        # Where that user may run it.
        program = Path(place) / "node_exporter"
        shutil.copy(find("prometheus-node-exporter"), program)
        Path(place).chmod(0o755)
        server = subprocess.Popen(
            [
                program,
                *("--collector.disable-defaults", "--collector.textfile"),
                f"--collector.textfile.directory={folder}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            user=user,
            cwd="/",
            env=environment(),
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"http://127.0.0.1:{port}/metrics"
        finally:
            server.terminate()
            server.wait()


def scrape(address: str) -> dict[str, dict[str, float]]:
    """What it serves: by name, and by the first label's value, if there is one."""
    text = ""

    def answers() -> bool:
        nonlocal text
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    wait_until(answers, f"{address} answers")
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = next(iter(sample.labels.values()), "")
            found.setdefault(sample.name, {})[label] = sample.value
    return found


def test_node_exporter(mount: Mounter, loopback: None) -> None:
    """As a user who may read metrics/ and nothing else; a view that fails hides no other."""
    tree = mount(metrics_mode="0444")
    tree.run(JOBS)
    before = int(tree.value("SELECT count(*) FROM job"))
    with node_exporter(tree / "metrics", user=NOBODY if os.geteuid() == 0 else None) as address:
        found = scrape(address)
        assert found["node_textfile_scrape_error"][""] == 0
        assert found["jobs"] == BY_STATE
        assert found["jobs_waiting"][""] == 3
        assert found["ksqlfs_statements_total"]["ok"] > 0
        tree.run("INSERT INTO job(state) VALUES('new')")
        found = scrape(address)
        assert (found["jobs"]["new"], found["jobs_waiting"][""]) == (4, 4)
        tree.run("CREATE VIEW bad AS SELECT 'text' AS value")
        found = scrape(address)
        assert found["node_textfile_scrape_error"][""] == 1
        assert "bad" not in found
        assert found["jobs_waiting"][""] == before - 1
        tree.run("DROP VIEW bad")
        assert scrape(address)["node_textfile_scrape_error"][""] == 0


# collectd


def test_collectd_reads_a_table(jobs: Tree, tmp_path: Path) -> None:
    """Its test run reads each plugin once, and writes what it found."""
    jobs.run("DELETE FROM job WHERE state NOT IN ('new', 'done')")
    config = tmp_path / "collectd.conf"
    plugins = UNPACKED / "lib" / "collectd"
    if not plugins.exists():
        plugins = Path("/usr/lib/collectd")
    config.write_text(
        f"""
        Hostname "host"
        BaseDir "{tmp_path}"
        PluginDir "{plugins}"
        TypesDB "{plugins.parents[1] / "share/collectd/types.db"}"
        LoadPlugin csv
        LoadPlugin table
        <Plugin csv>
          DataDir "{tmp_path}"
        </Plugin>
        <Plugin table>
          <Table "{jobs / "views/jobs/data.tsv"}">
            Instance "jobs"
            Separator "\\\\t"
            <Result>
              Type gauge
              InstancesFrom 0
              ValuesFrom 1
            </Result>
          </Table>
        </Plugin>
        """
    )
    run("collectd", "-T", "-C", config)
    written = {path.name.split("-")[1]: path for path in tmp_path.glob("host/table-jobs/gauge-*")}
    assert set(written) == {"new", "done"}
    for state, path in written.items():
        (_, row) = list(csv.reader(path.read_text().splitlines()))
        assert float(row[1]) == BY_STATE[state]


# Zabbix


def test_zabbix_agent(jobs: Tree, tmp_path: Path) -> None:
    config = tmp_path / "zabbix_agentd.conf"
    path = jobs / "views/jobs_waiting/value"
    config.write_text(f"Server=127.0.0.1\nUserParameter=jobs.waiting,cat {path}\n")
    for item in (f"vfs.file.contents[{path}]", "jobs.waiting"):
        said = run("zabbix_agentd", "-c", config, "-t", item)
        assert said.split(None, 1) == [item, "[t|3]\n"], said


# A shell


@pytest.mark.parametrize("program", [["cat"], ["busybox", "cat"]], ids=["gnu", "busybox"])
def test_the_value_alone(jobs: Tree, program: list[str]) -> None:
    assert run(*program, jobs / "views/jobs_waiting/value") == "3\n"


# inotify


def test_inotifywait(tree: Tree) -> None:
    """A commit to `t` is told of `t` alone, a rollback of nothing."""
    if filesystem_of(tree.root) != "ksqlfs":
        pytest.skip("only the kernel module can tell inotify of commits")
    tree.run("CREATE TABLE t(a); CREATE TABLE other(a)")
    folder, file, events = tree / "tables/t", tree / "tables/t/data.csv", tree / "events"
    with subprocess.Popen(
        [find("inotifywait"), "--monitor", "--event", "modify", folder, file, events],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        assert waiting.stdout is not None
        assert waiting.stderr is not None
        try:
            while "established" not in waiting.stderr.readline():
                pass
            with tree.connect() as connection:
                connection.ask("BEGIN; INSERT INTO t VALUES(1); ROLLBACK")
            tree.run("INSERT INTO other VALUES(1)")
            assert waiting.stdout.readline() == f"{events} MODIFY \n"
            tree.run("INSERT INTO t VALUES(2)")
            wanted = {f"{file} MODIFY \n", f"{folder}/ MODIFY data.csv\n"}
            while wanted:
                wanted.discard(waiting.stdout.readline())
        finally:
            waiting.terminate()
