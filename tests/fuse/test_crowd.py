# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""More clients than the server has threads, who make the kernel forget names."""

from __future__ import annotations

import subprocess
import sys

from tests.fuse.servers import Servers

# WORKERS_MAX of pyclient/fuse/host.h.
WORKERS = 512

# Threads that make tables, look at them and drop them; others look for what is not there, for
# which the kernel holds the lock of `tables` until it is answered.
CLIENT = """
import os, sys, threading
from contextlib import suppress

root, number, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

def tell(fd, sql):
    with suppress(OSError):
        os.write(fd, sql.encode())

def change(i):
    name = f"t{number}_{i}"
    with suppress(OSError):
        fd = os.open(f"{root}/query", os.O_WRONLY)
        tell(fd, f"CREATE TABLE {name}(a);")
        os.path.exists(f"{root}/tables/{name}")
        tell(fd, f"DROP TABLE {name};")
        os.close(fd)

def look(i):
    for k in range(100):
        os.path.exists(f"{root}/tables/nothing{i}_{k}")

threading.stack_size(256 * 1024)
threads = [threading.Thread(target=change, args=(i,)) for i in range(count)]
threads += [threading.Thread(target=look, args=(i,)) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_names_go_while_every_thread_is_busy(servers: Servers) -> None:
    server = servers.daemon("-o", "busy=1000")
    clients = [
        subprocess.Popen([sys.executable, "-c", CLIENT, server.root, str(n), str(WORKERS // 2)])
        for n in range(3)
    ]
    try:
        assert [client.wait(120) for client in clients] == [0, 0, 0]
    finally:
        for client in clients:
            client.kill()
            client.wait()
    server.run("CREATE TABLE t(a)")
