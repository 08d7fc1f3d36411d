/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * rom.h - the section of the module that may hold a database file.
 *
 * As it is compiled it holds nothing.  `make module ROM=FILE` puts what
 * kfs_module/rom.py makes of the file in its place, in the module as it is
 * linked (objcopy --update-section).
 */
#ifndef KSQLFS_ROM_H
#define KSQLFS_ROM_H

#include <linux/types.h>

#define KSQLFS_ROM_MAGIC  "ksqlrom1" /* without its NUL */
#define KSQLFS_ROM_SHA256 65 /* bytes of it in hexadecimal, with a NUL */
#define KSQLFS_ROM_HEADER 4096

/* What the section begins with; the file is behind it, aligned as it is. */
struct ksqlfs_rom_header {
	char magic[8];
	__le64 size; /* bytes of the file */
	char sha256[KSQLFS_ROM_SHA256];
	char name[64]; /* NUL-terminated */
	char rest[KSQLFS_ROM_HEADER - 16 - KSQLFS_ROM_SHA256 - 64];
};

extern const struct ksqlfs_rom_header ksqlfs_rom_section;

#endif /* KSQLFS_ROM_H */
