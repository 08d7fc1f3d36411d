/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSQL_LIBC_STDBOOL_H
#define KSQL_LIBC_STDBOOL_H

#include "klibc.h"

#endif /* KSQL_LIBC_STDBOOL_H */
