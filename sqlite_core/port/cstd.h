/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * cstd.h - the part of the standard C library that the engine uses: memory and
 * string functions, and the errno numbers.  libc's in user space; in the kernel
 * port/libc/'s on the engine's side, the kernel's own on the host's.
 */
#ifndef KSQL_PORT_CSTD_H
#define KSQL_PORT_CSTD_H

#include "types.h"
#if defined(__KERNEL__) && !defined(KSQL_ENGINE)
#include <linux/errno.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <float.h>
#include <stdarg.h>
#include <string.h>
#endif

#endif /* KSQL_PORT_CSTD_H */
