/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSQL_LIBC_STDLIB_H
#define KSQL_LIBC_STDLIB_H

#include "klibc.h"

#endif /* KSQL_LIBC_STDLIB_H */
