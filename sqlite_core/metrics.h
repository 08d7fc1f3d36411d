/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * metrics.h - views, and the engine's own figures, for Prometheus.  Engine side.
 */
#ifndef KSQL_METRICS_H
#define KSQL_METRICS_H

struct conn;

/**
 * metric_is() - is this view a metric?
 *
 * One with a column "value", whose own name may stand as the metric's.  A view
 * that cannot be prepared is none.  Return: 1, 0 or -errno.
 */
int metric_is(struct conn *c, const char *view);

#endif /* KSQL_METRICS_H */
