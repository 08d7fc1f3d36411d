# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# What the engine is made of: read by the Makefile (user space) and by
# kfs_module/Kbuild (kernel), so that both build the same files.
# Paths are relative to sqlite_core/.

# Engine side: SSE on, no header of the host's (see port/types.h).
KSQL_CORE_SRCS := buf.c catalog.c changes.c check.c conn.c core.c error.c events.c exec.c figures.c func.c image.c \
	info.c keys.c locks.c log.c mem.c memfile.c memlog.c memvfs.c metrics.c \
	mutex.c node.c open.c outcome.c param.c policy.c rom.c \
	csv.c import.c import_name.c insert.c lines.c load.c ndjson.c reading.c \
	render.c session.c session_dir.c size.c split.c table.c tracked.c work.c

# Host side: the gate through which a host enters the engine; options as text.
KSQL_GATE_SRCS := gate.c option.c

# SQLite itself, with one configuration for all hosts.
KSQL_SQLITE_SRC := sqlite/sqlite3_unit.c

KSQL_PORT_LINUX := port/port_linux.c port/stack_linux.c
KSQL_PORT_POSIX := port/port_posix.c

# musl's libm, as far as SQLite's math functions reach into it.
KSQL_MUSL_SRCS := acos acosh asin asinh atan atan2 atanh ceil copysign cos cosh \
	exp exp2 exp_data expm1 fabs floor fmod frexp log log10 log1p log2 \
	log2_data log_data pow pow_data scalbn sin sinh sqrt sqrt_data tan tanh \
	trunc __cos __expo2 __math_divzero __math_invalid __math_oflow \
	__math_uflow __math_xflow __rem_pio2 __rem_pio2_large __sin __tan
