/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ioctl.h - how a remount reaches the server: FUSE has no request for it.
 */
#ifndef KSQLFS_IOCTL_H
#define KSQLFS_IOCTL_H

#include <sys/ioctl.h>

/* The engine's limits as after -o, ended by NUL. */
struct ksqlfs_limits {
	char text[1024];
};

/* On the top directory, by the mount's owner or root. */
#define KSQLFS_IOC_LIMITS _IOW('k', 0xf1, struct ksqlfs_limits)

#endif /* KSQLFS_IOCTL_H */
