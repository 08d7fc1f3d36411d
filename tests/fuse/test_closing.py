# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""When a batch ends: by which close(), of which thread, process and descriptor."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Callable

import pytest

from tests.fuse.clients import client
from tests.fuse.namespaces import Namespace
from tests.fuse.servers import Server, run
from tests.interface.tree import fails, in_child, wait_until

HALVES = (b"SELECT 6 ", b"* 7 AS n")


@pytest.fixture
def server(server: Server) -> Server:
    """The last outcome is known, and is none of what the tests ask for."""
    server.run("SELECT 'before' AS n")
    return server


def open_batch(server: Server) -> int:
    return os.open(server / "query", os.O_WRONLY | os.O_CLOEXEC)


def write_all(descriptor: int) -> None:
    for half in HALVES:
        os.write(descriptor, half)


def not_yet(server: Server) -> None:
    assert server.text("value") == "before\n"


def finished(server: Server) -> None:
    assert server.text("value") == "42\n"


def in_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


# Threads


def test_another_thread_closes(server: Server) -> None:
    descriptor = open_batch(server)
    write_all(descriptor)
    in_thread(lambda: os.close(descriptor))
    finished(server)


def test_the_thread_that_opened_is_gone(server: Server) -> None:
    descriptors: list[int] = []
    in_thread(lambda: descriptors.append(open_batch(server)))
    in_thread(lambda: write_all(descriptors[0]))
    not_yet(server)
    os.close(descriptors[0])
    finished(server)


def test_the_thread_that_opened_lives_on(server: Server) -> None:
    descriptors: list[int] = []
    opened, done = threading.Event(), threading.Event()

    def stay() -> None:
        descriptors.append(open_batch(server))
        opened.set()
        done.wait()

    thread = threading.Thread(target=stay)
    thread.start()
    opened.wait()
    write_all(descriptors[0])
    os.close(descriptors[0])
    finished(server)
    done.set()
    thread.join()


def test_a_close_in_a_thread_tells_of_the_error(server: Server) -> None:
    descriptor = open_batch(server)
    os.write(descriptor, b"SELECT * FROM nowhere")

    def close() -> None:
        with fails("ENOENT"):
            os.close(descriptor)

    in_thread(close)
    assert server.status()["errno"] == "ENOENT"


# Descriptors


def test_the_last_of_several_descriptors_ends_it(server: Server) -> None:
    descriptor = open_batch(server)
    copies = [os.dup(descriptor) for _ in range(3)]
    os.write(descriptor, HALVES[0])
    os.close(descriptor)
    os.write(copies[0], HALVES[1])
    for copy in copies[:2]:
        os.close(copy)
        not_yet(server)
    os.close(copies[2])
    finished(server)


def test_dup2_over_it_ends_it(server: Server) -> None:
    descriptor = open_batch(server)
    write_all(descriptor)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    finished(server)
    os.close(null)
    os.close(descriptor)


def test_another_opening_of_the_name_is_another_batch(server: Server) -> None:
    with server.batch() as other, server.connect(), server.batch("query.json"):
        other.write("SELECT 'other' AS n")
        descriptor = open_batch(server)
        write_all(descriptor)
        os.close(descriptor)
        finished(server)
    assert server.text("value") == "other\n"


def test_opening_it_by_its_descriptor_is_another_batch(server: Server) -> None:
    descriptor = open_batch(server)
    with open(f"/proc/self/fd/{descriptor}", "wb", buffering=0) as other:
        other.write(b"SELECT 'other' AS n")
        write_all(descriptor)
        os.close(descriptor)
        finished(server)
    assert server.text("value") == "other\n"


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_shells_with_several_descriptors(server: Server, shell: str) -> None:
    script = """
        cd "$1" || exit
        exec 3> query 4> query 5> query.json
        printf 'SELECT 4 AS n' >&4; printf 'SELECT 3 AS n' >&3; printf 'SELECT 5 AS n' >&5
        cat value
        exec 3>&-; cat value
        exec 6>&4; exec 4>&-; cat value
        (exec 6>&-); cat value
        exec 6>&-; cat value
        { printf 'SELECT 7'; /bin/echo ' AS n'; } > query; cat value
        (printf 'SELECT 8'; /bin/echo ' AS n') > query; cat value
        exec 5>&-; cat value
        for word in SELECT 9; do printf '%s ' "$word"; done > query; cat value
        printf 'SELECT 1%s' 0 | cat > query; cat value
    """
    done = run(*shell.split(), "-c", script, "sh", server.root)
    assert (done.stdout, done.stderr) == ("before\n3\n3\n3\n4\n7\n8\n5\n9\n10\n", "")


def test_a_process_with_thousands_of_descriptors(server: Server) -> None:
    def act() -> str:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        null = os.open(os.devnull, os.O_RDONLY)
        for _ in range(4000):
            os.dup(null)
        for _ in range(200):
            os.open(server / "error", os.O_RDONLY)
        descriptor = open_batch(server)
        copy = os.dup(descriptor)
        write_all(copy)
        os.close(copy)
        not_yet(server)
        os.close(descriptor)
        return server.text("value")

    assert in_child(act) == "42\n"


# Processes


@pytest.mark.parametrize("how", ["close", "exit", "kill"])
def test_a_childs_end_ends_nothing(server: Server, how: str) -> None:
    descriptor = open_batch(server)
    os.write(descriptor, HALVES[0])

    def leave() -> None:
        if how == "close":
            os.close(descriptor)
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)

    with client(leave) as child:
        child.end()
    not_yet(server)
    os.write(descriptor, HALVES[1])
    os.close(descriptor)
    finished(server)


def test_a_child_may_write_a_part(server: Server) -> None:
    descriptor = open_batch(server)
    with client(lambda: os.write(descriptor, HALVES[0])) as child:
        assert child.end() == 0
    os.write(descriptor, HALVES[1])
    os.close(descriptor)
    finished(server)


def test_the_opener_ends_it_while_a_child_has_it(server: Server) -> None:
    descriptor = open_batch(server)
    with client(signal.pause):
        write_all(descriptor)
        os.close(descriptor)
        finished(server)


def test_what_a_child_writes_later_ends_with_the_last_descriptor(server: Server) -> None:
    descriptor = open_batch(server)
    source, sink = os.pipe()

    def go_on() -> None:
        os.close(sink)
        os.read(source, 1)
        os.write(descriptor, b"SELECT 'child' AS n")

    with client(go_on) as child:
        write_all(descriptor)
        os.close(descriptor)
        finished(server)
        os.close(source)
        os.close(sink)
        assert child.end() == 0
    # RELEASE comes some time after the last close.
    wait_until(lambda: server.text("value") == "child\n", "the child's batch runs")


def test_a_program_that_is_given_it(server: Server) -> None:
    with server.batch() as batch:
        subprocess.run(["/bin/echo", "SELECT 6 * 7 AS n"], stdout=batch.fd, check=True)
        not_yet(server)
    finished(server)


def test_an_exec_keeps_it(server: Server) -> None:
    script = 'exec 3> "$1/query"; printf "SELECT 6 " >&3; exec sh -c "printf \'* 7 AS n\' >&3"'
    assert run("sh", "-c", script, "sh", server.root).stderr == ""
    finished(server)


def test_a_descriptor_sent_to_another_process(server: Server) -> None:
    ours, theirs = socket.socketpair()
    descriptor = open_batch(server)

    def receive() -> None:
        _, (received,), _, _ = socket.recv_fds(theirs, 1, 1)
        os.close(descriptor)
        os.write(received, HALVES[1])
        os.close(received)

    with ours, theirs, client(receive) as child:
        os.write(descriptor, HALVES[0])
        socket.send_fds(ours, [b"x"], [descriptor])
        assert child.end() == 0
        not_yet(server)
        os.close(descriptor)
        finished(server)


def test_a_client_in_a_pid_namespace(server: Server, namespace: Namespace) -> None:
    script = 'exec 3> query 4>&3; printf "SELECT 6 " >&3; exec 3>&-; cat value; echo "* 7" >&4'
    words = ("unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", f"{script}; exec 4>&-")
    place = f"{server.root}"
    done = namespace.run(*words, cwd=place)
    assert (done.stdout, done.stderr) == ("before\n", "")
    finished(server)


# Ends of processes


def test_exit_without_close_runs_it(server: Server) -> None:
    with client(lambda: write_all(open_batch(server))) as child:
        assert child.end() == 0
    finished(server)


@pytest.mark.parametrize("code", [1, 2, 137, 255])
def test_any_exit_code_is_an_exit(server: Server, code: int) -> None:
    script = 'exec 3> "$1/query"; printf "SELECT 6 * 7" >&3; exit "$2"'
    assert run("sh", "-c", script, "sh", server.root, str(code)).returncode == code
    finished(server)


KILLERS = [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT]


@pytest.mark.parametrize("how", KILLERS, ids=lambda how: how.name)
def test_text_of_a_killed_writer_never_runs(server: Server, how: signal.Signals) -> None:
    def write() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.disable()
        descriptor = open_batch(server)
        os.write(descriptor, b"CREATE TABLE whole(a); CREATE TABLE half(a)")
        os.kill(os.getpid(), how)

    with client(write) as writer:
        assert writer.end() == -how
    assert server.tables() == ["whole"]
    # It counts as not finished.
    not_yet(server)


def test_a_killed_writer_in_a_thread(server: Server) -> None:
    def write() -> None:
        in_thread(lambda: os.write(open_batch(server), b"CREATE TABLE half(a)"))
        in_thread(lambda: os.kill(os.getpid(), signal.SIGKILL))

    with client(write) as writer:
        assert writer.end() == -signal.SIGKILL
    assert server.tables() == []


def test_a_child_cannot_end_what_its_killed_parent_began(server: Server) -> None:
    source, sink = os.pipe()
    answer, answers = os.pipe()

    def write() -> None:
        descriptor = open_batch(server)
        os.write(descriptor, b"CREATE TABLE half")
        if os.fork() == 0:
            os.close(sink)
            os.read(source, 1)
            try:
                os.write(descriptor, b"way(a);")
                os.write(answers, b"it went well")
            except OSError as error:
                os.write(answers, os.strerror(error.errno or 0).encode())
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)

    with client(write) as writer:
        assert writer.end() == -signal.SIGKILL
    os.close(source)
    os.close(sink)
    assert os.read(answer, 100) == b"Operation canceled"
    os.close(answer)
    os.close(answers)
    assert server.tables() == []


def test_a_transaction_of_a_killed_program_is_rolled_back(server: Server) -> None:
    server.run("CREATE TABLE t(a)")

    def write() -> None:
        connection = server.connect()
        connection.ask("BEGIN IMMEDIATE; INSERT INTO t VALUES(1);")
        os.kill(os.getpid(), signal.SIGKILL)

    with client(write) as writer:
        writer.end()
    # Its lock is free once its file is given back.
    server.run("INSERT INTO t VALUES(2)")
    assert server.ask("SELECT a FROM t") == "a\n2\n"


def test_a_killed_shell_whose_child_lives_on(server: Server) -> None:
    script = 'exec > "$1/query"; printf "CREATE TABLE half(a)"; sleep 1000 & echo >&2; wait'
    with subprocess.Popen(
        ["sh", "-c", script, "sh", server.root], stderr=subprocess.PIPE, start_new_session=True
    ) as shell:
        assert shell.stderr is not None
        assert shell.stderr.read(1) == b"\n"
        shell.kill()
        shell.wait()
        assert server.tables() == []
        os.killpg(shell.pid, signal.SIGKILL)
        # Its end of the pipe goes with the child, and then the child's of the batch has gone.
        assert shell.stderr.read() == b""
    server.works()
    assert server.tables() == []
