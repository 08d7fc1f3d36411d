// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * rom_section.c - room for a database file in the module: see rom.h.
 *
 * Alone in its file, so that nobody's code is made for an empty one.
 */
#include <linux/cache.h>
#include <linux/compiler.h>

#include "rom.h"

const struct ksqlfs_rom_header ksqlfs_rom_section __section("ksqlfs_rom")
	__aligned(KSQLFS_ROM_HEADER);
