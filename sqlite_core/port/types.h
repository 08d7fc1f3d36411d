/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * types.h - size_t, bool and the fixed-width integers, on every host.
 *
 * The engine's own files are compiled for the kernel without a single
 * <linux/...> header (they are built with SSE on, and SQLite's headers are not
 * the kernel's): KSQL_ENGINE says that this is such a file, and its headers
 * come from port/libc/.  The host's files see the kernel's own types, which
 * are the same.
 */
#ifndef KSQL_PORT_TYPES_H
#define KSQL_PORT_TYPES_H

#if defined(__KERNEL__) && !defined(KSQL_ENGINE)
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#endif /* KSQL_PORT_TYPES_H */
