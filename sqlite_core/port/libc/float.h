/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef KSQL_LIBC_FLOAT_H
#define KSQL_LIBC_FLOAT_H

/* IEEE 754, as the SSE registers have it. */
#define DBL_DIG	     15
#define DBL_MANT_DIG 53
#define DBL_EPSILON  2.2204460492503131e-16
#define DBL_MIN	     2.2250738585072014e-308
#define DBL_MAX	     1.7976931348623157e+308

#endif /* KSQL_LIBC_FLOAT_H */
