# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The engine's C interface (sqlite_core/ksql_core.h) for Python.

A failed call raises OSError with its errno.  The library is named by KSQL_CORE_LIB.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

READ, WRITE, BOTH = 1, 2, 3
POLL_READ, POLL_WRITE, POLL_CHANGED = 1, 2, 4
ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
MODE_UNSET = 0xFFFFFFFF


def library_path() -> Path:
    """Where the engine is: $KSQL_CORE_LIB, or what `make core` builds."""
    return Path(os.environ.get("KSQL_CORE_LIB", ROOT / "build/core/libksqlcore.so"))


class Config(ctypes.Structure):
    """struct ksql_core_config."""

    _fields_ = (
        ("mem_limit", ctypes.c_uint64),
        ("host", ctypes.c_char_p),
        ("measure", ctypes.c_bool),
    )


class Options(ctypes.Structure):
    """struct ksql_options."""

    _fields_ = (
        ("size", ctypes.c_uint64),
        ("max_result", ctypes.c_uint64),
        ("exact", ctypes.c_uint64),
        ("timeout_ms", ctypes.c_uint32),
        ("busy_ms", ctypes.c_uint32),
        ("max_sql", ctypes.c_uint32),
        ("sessions", ctypes.c_uint32),
        ("statements", ctypes.c_uint32),
        ("zero", ctypes.c_uint32),
    )

    def values(self) -> tuple[int, ...]:
        """All of them, to compare."""
        return tuple(getattr(self, field[0]) for field in self._fields_)


class Caller(ctypes.Structure):
    """struct ksql_caller."""

    _fields_ = (
        ("uid", ctypes.c_uint32),
        ("gid", ctypes.c_uint32),
        ("pid", ctypes.c_int32),
        ("cancel", ctypes.POINTER(ctypes.c_int)),
    )


class Watch(ctypes.Structure):
    """struct ksql_watch."""


WATCH_CALL = ctypes.CFUNCTYPE(None, ctypes.POINTER(Watch), ctypes.c_uint64)
Watch._fields_ = [("changed", WATCH_CALL), ("next", ctypes.POINTER(Watch))]


class Rom(ctypes.Structure):
    """struct ksql_rom."""

    _keep: tuple[object, ...]

    @classmethod
    def of(cls, data: bytes, released: Callable[[], None] = lambda: None) -> Rom:
        """An image, and who is told when it is not read any more."""
        buffer = ctypes.create_string_buffer(data, len(data))
        release = ROM_CALL(lambda _: released())
        rom = cls(b"test.db", b"test", ctypes.addressof(buffer), len(data), b"00" * 32, release)
        rom._keep = (buffer, release)
        return rom


ROM_CALL = ctypes.CFUNCTYPE(None, ctypes.POINTER(Rom))
Rom._fields_ = [
    ("name", ctypes.c_char_p),
    ("source", ctypes.c_char_p),
    ("data", ctypes.c_void_p),
    ("size", ctypes.c_uint64),
    ("sha256", ctypes.c_char * 65),
    ("release", ROM_CALL),
]


class Attr(ctypes.Structure):
    """struct ksql_attr."""

    _fields_ = (("ino", ctypes.c_uint64), ("size", ctypes.c_uint64), ("mtime_ns", ctypes.c_int64))


class Dirent(ctypes.Structure):
    """struct ksql_dirent."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("name_len", ctypes.c_size_t),
        ("is_dir", ctypes.c_bool),
        ("has_version", ctypes.c_bool),
        ("ino", ctypes.c_uint64),
    )


_P = ctypes.c_void_p
_CALLER = ctypes.POINTER(Caller)
_OPTIONS = ctypes.POINTER(Options)
_OUT = ctypes.POINTER(_P)
_PROTOTYPES: dict[str, tuple[Any, ...]] = {
    # name: result, then arguments
    "ksql_core_init": (ctypes.c_int, ctypes.POINTER(Config)),
    "ksql_core_exit": (ctypes.c_uint64,),
    "ksql_options_default": (None, _OPTIONS),
    "ksql_option_set": (ctypes.c_int, _OPTIONS, ctypes.c_char_p, ctypes.c_char_p),
    "ksql_option_get": (
        ctypes.c_char_p,
        _OPTIONS,
        ctypes.c_uint,
        ctypes.POINTER(ctypes.c_uint64),
    ),
    "ksql_rom_check": (ctypes.c_int, _P, ctypes.c_char_p, ctypes.c_size_t),
    "ksql_db_get": (ctypes.c_int, ctypes.c_char_p, _OPTIONS, _P, _OUT),
    "ksql_db_rom": (_P, _P),
    "ksql_db_put": (None, _P),
    "ksql_db_configure": (ctypes.c_int, _P, _OPTIONS),
    "ksql_db_options": (None, _P, _OPTIONS),
    "ksql_db_usage": (None, _P, ctypes.POINTER(ctypes.c_uint64), ctypes.POINTER(ctypes.c_uint64)),
    "ksql_db_watch": (None, _P, ctypes.POINTER(Watch)),
    "ksql_db_unwatch": (None, _P, ctypes.POINTER(Watch)),
    "ksql_root": (_P, _P),
    "ksql_lookup": (ctypes.c_int, _P, _P, ctypes.c_char_p, ctypes.c_size_t, _OUT),
    "ksql_node_exists": (ctypes.c_int, _P, _P),
    "ksql_node_get": (_P, _P),
    "ksql_node_put": (None, _P),
    "ksql_node_is_dir": (ctypes.c_bool, _P),
    "ksql_node_ino": (ctypes.c_uint64, _P),
    "ksql_node_is_stream": (ctypes.c_bool, _P),
    "ksql_node_mode": (ctypes.c_uint32, _P, ctypes.c_uint32, ctypes.c_uint32),
    "ksql_node_owner": (
        ctypes.c_bool,
        _P,
        ctypes.POINTER(ctypes.c_uint32),
        ctypes.POINTER(ctypes.c_uint32),
    ),
    "ksql_getattr": (ctypes.c_int, _P, _P, _CALLER, ctypes.POINTER(Attr)),
    "ksql_make": (
        ctypes.c_int,
        _P,
        _P,
        ctypes.c_char_p,
        ctypes.c_size_t,
        _CALLER,
        ctypes.c_bool,
        _OUT,
    ),
    "ksql_db_schema": (ctypes.c_int, _P, _OUT),
    "ksql_node_has_version": (ctypes.c_bool, _P),
    "ksql_node_version": (ctypes.c_uint64, _P, _P),
    "ksql_node_same": (ctypes.c_bool, _P, _P),
    "ksql_remove": (ctypes.c_int, _P, _P, _CALLER),
    "ksql_opendir": (ctypes.c_int, _P, _P, _CALLER, _OUT),
    "ksql_readdir": (ctypes.c_int, _P, ctypes.c_uint64, ctypes.POINTER(Dirent)),
    "ksql_closedir": (None, _P),
    "ksql_open": (ctypes.c_int, _P, _P, _CALLER, ctypes.c_uint, _OUT),
    "ksql_read": (ctypes.c_long, _P, _CALLER, _P, ctypes.c_size_t, ctypes.c_uint64),
    "ksql_end": (ctypes.c_int64, _P, _CALLER),
    "ksql_poll": (ctypes.c_uint, _P),
    "ksql_write": (ctypes.c_long, _P, _CALLER, ctypes.c_char_p, ctypes.c_size_t),
    "ksql_finish": (ctypes.c_int, _P, _CALLER),
    "ksql_release": (None, _P, _CALLER, ctypes.c_bool),
    "ksql_cancelled": (None, ctypes.POINTER(ctypes.c_int)),
}


_loaded: list[ctypes.CDLL] = []


def load(path: Path | None = None) -> ctypes.CDLL:
    """The library, its calls typed."""
    lib = ctypes.CDLL(str(path or library_path()))
    _loaded.append(lib)
    for name, (result, *arguments) in _PROTOTYPES.items():
        call = getattr(lib, name)
        call.restype = result
        call.argtypes = arguments
    return lib


def fail(ret: int, what: str) -> NoReturn:
    """Raise what a negative return says."""
    raise OSError(-ret, os.strerror(-ret), what)


def check(ret: int, what: str) -> int:
    """A return, unless it is an errno."""
    if ret < 0:
        fail(ret, what)
    return ret


class Flag:
    """A cancel flag."""

    def __init__(self) -> None:
        self.value = ctypes.c_int(0)

    def set(self, on: bool = True) -> None:
        """Raise it, or lower it."""
        self.value.value = int(on)
        for lib in _loaded:
            lib.ksql_cancelled(ctypes.byref(self.value))


def caller(uid: int = 0, flag: Flag | None = None) -> Caller:
    """On whose behalf a call is made."""
    return Caller(uid, uid, 0, ctypes.pointer(flag.value) if flag else None)


class File:
    """An open file."""

    def __init__(self, db: Db, path: str, flags: int, who: Caller, node: _P | None = None) -> None:
        self.db, self.who, self.path, self.flags = db, who, path, flags
        self.lib = db.lib
        self.handle: _P | None = None
        handle = _P()
        with nullcontext(node) if node else db.node(path) as node:
            check(
                self.lib.ksql_open(db.handle, node, ctypes.byref(who), flags, ctypes.byref(handle)),
                f"open {path}",
            )
        self.handle = handle

    def write(self, data: bytes | str) -> None:
        """Write all of it, or fail."""
        data = data.encode() if isinstance(data, str) else data
        ret = self.lib.ksql_write(self.handle, ctypes.byref(self.who), data, len(data))
        if check(ret, f"write {self.path}") != len(data):
            raise AssertionError(f"a write of {len(data)} bytes took {ret}")

    def read(self, size: int = 1 << 16, pos: int = 0) -> bytes:
        """So many bytes at most."""
        buffer = ctypes.create_string_buffer(size or 1)
        ret = self.lib.ksql_read(self.handle, ctypes.byref(self.who), buffer, size, pos)
        return buffer.raw[: check(ret, f"read {self.path}")]

    def poll(self) -> int:
        """What it is ready for."""
        return int(self.lib.ksql_poll(self.handle))

    def end(self) -> int:
        """The position where it ends."""
        ret = self.lib.ksql_end(self.handle, ctypes.byref(self.who))
        return check(ret, f"end of {self.path}")

    def read_all(self, size: int = 1 << 16) -> bytes:
        """From the first byte (of a stream: from where it stands) to the end."""
        parts, done = [], 0
        while part := self.read(size, done):
            parts.append(part)
            done += len(part)
        return b"".join(parts)

    def ask(self, request: bytes | str) -> bytes:
        """Write a request and read its answer."""
        self.write(request)
        return self.read_all()

    def finish(self) -> None:
        """The opener closed it."""
        check(self.lib.ksql_finish(self.handle, ctypes.byref(self.who)), f"close {self.path}")

    def release(self, abandon: bool = False) -> None:
        """The last descriptor is gone."""
        if self.handle:
            self.lib.ksql_release(self.handle, ctypes.byref(self.who), abandon)
            self.handle = None

    def close(self) -> None:
        """What close() of the only descriptor does."""
        try:
            self.finish()
        finally:
            self.release()

    def __enter__(self) -> File:
        return self

    def __exit__(self, *args: object) -> None:
        self.release()


class Db:
    """A database, and its tree."""

    def __init__(
        self, engine: Engine, source: bytes, options: Options, rom: Rom | None = None
    ) -> None:
        self.engine = engine
        self.lib = engine.lib
        self.handle = _P()
        self.rom = rom  # whose memory must stay
        image = ctypes.byref(rom) if rom else None
        ret = self.lib.ksql_db_get(source, ctypes.byref(options), image, ctypes.byref(self.handle))
        check(ret, "db_get")

    def put(self) -> None:
        """Give the count back."""
        if self.handle:
            self.lib.ksql_db_put(self.handle)
            self.handle = _P()

    @contextmanager
    def node(self, path: str | bytes) -> Iterator[_P]:
        """The node of a path."""
        node = self.get_node(path)
        try:
            yield node
        finally:
            self.lib.ksql_node_put(node)

    def get_node(self, path: str | bytes) -> _P:
        """The same, for the caller to give back."""
        path = path.encode() if isinstance(path, str) else path
        root = self.lib.ksql_root(self.handle)
        if not root:
            fail(-errno.ENOMEM, "root")
        node = _P(root)
        for name in path.split(b"/") if path else []:
            below = _P()
            ret = self.lib.ksql_lookup(self.handle, node, name, len(name), ctypes.byref(below))
            self.lib.ksql_node_put(node)
            check(ret, f"lookup {path!r}")
            node = below
        return node

    def make_node(self, path: str | bytes, is_dir: bool = False, uid: int = 0) -> _P:
        """A new name; its node is for the caller to give back."""
        path = path.encode() if isinstance(path, str) else path
        folder, _, name = path.rpartition(b"/")
        made, who = _P(), caller(uid)
        with self.node(folder) as node:
            ret = self.lib.ksql_make(
                self.handle, node, name, len(name), ctypes.byref(who), is_dir, ctypes.byref(made)
            )
        check(ret, f"make {path!r}")
        return made

    def create(self, path: str, flags: int = WRITE, cancel: Flag | None = None) -> File:
        """A new file, open."""
        node = self.make_node(path)
        try:
            return File(self, path, flags, caller(flag=cancel), node)
        finally:
            self.lib.ksql_node_put(node)

    def open(self, path: str, flags: int = READ, uid: int = 0, cancel: Flag | None = None) -> File:
        """Open a file."""
        return File(self, path, flags, caller(uid, cancel))

    def session(self, path: str = "query", uid: int = 0, cancel: Flag | None = None) -> File:
        """Open a private connection."""
        return self.open(path, BOTH, uid, cancel)

    def batch(
        self, *parts: bytes | str, uid: int = 0, path: str = "query", cancel: Flag | None = None
    ) -> None:
        """Run a batch that comes in these writes; its first error is raised."""
        with self.open(path, WRITE, uid, cancel) as file:
            try:
                for part in parts:
                    file.write(part)
            except OSError:
                file.close()
                raise
            file.close()

    def cat(self, path: str, uid: int = 0, size: int = 1 << 16) -> bytes:
        """All of a file."""
        with self.open(path, READ, uid) as file:
            return file.read_all(size)

    def text(self, path: str, uid: int = 0) -> str:
        """The same as text."""
        return self.cat(path, uid).decode()

    def value(self, sql: bytes | str, uid: int = 0) -> str:
        """The first value of a batch's result, without the newline."""
        self.batch(sql, uid=uid)
        return self.text("value", uid).removesuffix("\n")

    def result(self, sql: bytes | str, path: str = "result", uid: int = 0) -> str:
        """The result of a batch."""
        self.batch(sql, uid=uid)
        return self.text(path, uid)

    def facts(self, path: str, uid: int = 0) -> dict[str, str]:
        """A file of "key value" lines."""
        return dict(line.split(" ", 1) for line in self.text(path, uid).splitlines())

    def memory(self, key: str) -> int:
        """A number of info/memory."""
        return int(self.facts("info/memory")[key])

    def make(self, path: str, uid: int = 0, is_dir: bool = True) -> None:
        """mkdir(), or what open() with O_CREAT does before it opens."""
        made, who = _P(), caller(uid)
        above, _, last = path.rpartition("/")
        name = last.encode(errors="surrogateescape")
        with self.node(above) as node:
            ret = self.lib.ksql_make(
                self.handle, node, name, len(name), ctypes.byref(who), is_dir, ctypes.byref(made)
            )
        check(ret, f"make {path}")
        self.lib.ksql_node_put(made)

    def remove(self, path: str, uid: int = 0) -> None:
        """rmdir()."""
        who = caller(uid)
        with self.node(path) as node:
            ret = self.lib.ksql_remove(self.handle, node, ctypes.byref(who))
        check(ret, f"remove {path}")

    def owner(self, path: str) -> tuple[int, int] | None:
        """Whose a node is, by user and group; None: the mount's owner's."""
        uid, gid = ctypes.c_uint32(), ctypes.c_uint32()
        with self.node(path) as node:
            own = self.lib.ksql_node_owner(node, ctypes.byref(uid), ctypes.byref(gid))
        return (uid.value, gid.value) if own else None

    def mode(self, path: str, mount_mode: int = 0o750) -> int:
        """Permission bits of a node."""
        with self.node(path) as node:
            return int(self.lib.ksql_node_mode(node, mount_mode, MODE_UNSET))

    def names(self, path: str, uid: int = 0) -> list[str]:
        """The names of a directory, as a user sees them."""
        with self.node(path) as node:
            return [name for name, _, _ in self.entries(node, uid)]

    def entries(self, node: _P, uid: int = 0) -> list[tuple[str, bool, int]]:
        """Name, is it a directory, inode number: of each entry of a directory."""
        directory, entry, who = _P(), Dirent(), caller(uid)
        ret = self.lib.ksql_opendir(self.handle, node, ctypes.byref(who), ctypes.byref(directory))
        check(ret, "opendir")
        found: list[tuple[str, bool, int]] = []
        while self.lib.ksql_readdir(directory, len(found), ctypes.byref(entry)):
            assert len(entry.name) == entry.name_len
            found.append((entry.name.decode(), entry.is_dir, entry.ino))
        self.lib.ksql_closedir(directory)
        return found

    def attr(self, path: str, uid: int = 0) -> Attr:
        """What stat() shows."""
        attr, who = Attr(), caller(uid)
        with self.node(path) as node:
            ret = self.lib.ksql_getattr(self.handle, node, ctypes.byref(who), ctypes.byref(attr))
        check(ret, f"getattr {path}")
        return attr

    @contextmanager
    def watching(self, changed: Callable[[], None]) -> Iterator[None]:
        """Be called at each commit, from whichever thread commits."""
        watch = Watch(WATCH_CALL(lambda _, _version: changed()))
        self.lib.ksql_db_watch(self.handle, ctypes.byref(watch))
        try:
            yield
        finally:
            self.lib.ksql_db_unwatch(self.handle, ctypes.byref(watch))

    def usage(self) -> tuple[int, int]:
        """Pages of the database, pages of its log."""
        pages, wal = ctypes.c_uint64(), ctypes.c_uint64()
        self.lib.ksql_db_usage(self.handle, ctypes.byref(pages), ctypes.byref(wal))
        return pages.value, wal.value

    def configure(self, **changes: int) -> None:
        """Change some limits."""
        options = self.options()
        for name, value in changes.items():
            setattr(options, name, value)
        check(self.lib.ksql_db_configure(self.handle, ctypes.byref(options)), "configure")

    def options(self) -> Options:
        """The limits in force."""
        options = Options()
        self.lib.ksql_db_options(self.handle, ctypes.byref(options))
        return options


class Engine:
    """The engine, from ksql_core_init() to ksql_core_exit()."""

    def __init__(self, lib: ctypes.CDLL, mem_limit: int = 0, measure: bool = False) -> None:
        self.lib = lib
        self.config = Config(mem_limit, b"test", measure)
        self.running = False
        self.dbs: list[Db] = []

    def start(self) -> None:
        """Start it."""
        check(self.lib.ksql_core_init(ctypes.byref(self.config)), "init")
        self.running = True

    def stop(self) -> int:
        """Put all databases and stop it: the bytes that are still live."""
        for db in self.dbs:
            db.put()
        self.dbs.clear()
        self.running = False
        return int(self.lib.ksql_core_exit())

    def options(self, **changes: int) -> Options:
        """The default limits, some changed."""
        options = Options()
        self.lib.ksql_options_default(ctypes.byref(options))
        for name, value in changes.items():
            setattr(options, name, value)
        return options

    def check_rom(self, rom: Rom) -> str:
        """Look at an image: what is wrong with it; raises OSError if it cannot be read at all."""
        why = ctypes.create_string_buffer(256)
        ret = self.lib.ksql_rom_check(ctypes.byref(rom), why, len(why))
        text = why.value.decode()
        assert (ret == 0) == (text == "")
        return text

    def db(self, source: str | bytes = "test", rom: Rom | None = None, **options: int) -> Db:
        """A database, put when the engine stops."""
        source = source.encode() if isinstance(source, str) else source
        db = Db(self, source, self.options(**options), rom)
        self.dbs.append(db)
        return db


@contextmanager
def running(lib: ctypes.CDLL, mem_limit: int = 0, measure: bool = False) -> Iterator[Engine]:
    """An engine that must leave nothing behind."""
    engine = Engine(lib, mem_limit, measure)
    engine.start()
    try:
        yield engine
    finally:
        live = engine.stop() if engine.running else 0
    assert live == 0, f"{live} bytes are still live"
