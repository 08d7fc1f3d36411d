/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The numbers alone: nothing in the engine sets errno.
 */
#ifndef KSQL_LIBC_ERRNO_H
#define KSQL_LIBC_ERRNO_H

#include <uapi/linux/errno.h>

#endif /* KSQL_LIBC_ERRNO_H */
