// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * rom.c - the mount option rom=NAME: a database file that is only read, from a
 * section of the module or by the firmware loader.
 *
 * Both are memory in one piece that stays as it is, so the engine reads them
 * where they are.
 */
#define pr_fmt(fmt) "ksqlfs: " fmt

#include <linux/firmware.h>
#include <linux/fs_context.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <crypto/sha2.h>

#include "compat.h"
#include "ksqlfs.h"
#include "rom.h"

#define KSQLFS_ROM_NAME_MAX 63
#define KSQLFS_ROM_WHY	    256

/* Bytes hashed between two looks at who else wants the processor. */
#define KSQLFS_ROM_PIECE (256 * 1024)

/*
 * struct ksqlfs_rom - an image in use; freed by ksqlfs_rom_release()
 * @rom: what the engine knows of it
 * @firmware: owned; NULL: it is the module's own
 * @name: NUL-terminated
 */
struct ksqlfs_rom {
	struct ksql_rom rom;
	const struct firmware *firmware;
	char name[];
};

static void ksqlfs_rom_release(struct ksql_rom *rom)
{
	struct ksqlfs_rom *r = container_of(rom, struct ksqlfs_rom, rom);

	release_firmware(r->firmware);
	kfree(r);
}

/* A file's name, and nothing that leads elsewhere. */
static bool ksqlfs_rom_is_name(const char *name)
{
	static const char may[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len <= KSQLFS_ROM_NAME_MAX && name[0] != '.' &&
	       strspn(name, may) == len;
}

/* The one that was put into the module when it was built, if it is that. */
static bool ksqlfs_rom_built_in(struct ksqlfs_rom *r, char *sha256)
{
	const struct ksqlfs_rom_header *header = &ksqlfs_rom_section;

	OPTIMIZER_HIDE_VAR(header); /* it was empty for the compiler */
	if (memcmp(header->magic, KSQLFS_ROM_MAGIC, sizeof(header->magic)) ||
	    strcmp(header->name, r->name))
		return false;
	r->rom.source = "builtin";
	r->rom.data = header + 1;
	r->rom.size = le64_to_cpu(header->size);
	memcpy(sha256, header->sha256, sizeof(header->sha256));
	return true;
}

static int ksqlfs_rom_request(struct fs_context *fc, const char *name,
			      const char *ending, const struct firmware **out)
{
	char path[sizeof("ksqlfs/") + KSQLFS_ROM_NAME_MAX + sizeof(".sha256")];
	int err;

	snprintf(path, sizeof(path), "ksqlfs/%s%s", name, ending);
	err = request_firmware_direct(out, path, NULL);
	if (err)
		errorf(fc,
		       "ksqlfs: rom=%s: neither built in nor to be had as firmware: %s",
		       name, path);
	return err;
}

/* The first word of a file as sha256sum(1) writes it. */
static int ksqlfs_rom_expected(struct fs_context *fc, const char *name,
			       char *sha256)
{
	const struct firmware *sum;
	int err = ksqlfs_rom_request(fc, name, ".sha256", &sum);

	if (err)
		return err;
	memset(sha256, 0, KSQLFS_ROM_SHA256);
	if (sum->size >= 2 * SHA256_DIGEST_SIZE)
		memcpy(sha256, sum->data, 2 * SHA256_DIGEST_SIZE);
	release_firmware(sum);
	return 0;
}

static int ksqlfs_rom_load(struct fs_context *fc, struct ksqlfs_rom *r,
			   char *sha256)
{
	int err = ksqlfs_rom_expected(fc, r->name, sha256);

	if (err)
		return err;
	err = ksqlfs_rom_request(fc, r->name, "", &r->firmware);
	if (err)
		return err;
	r->rom.source = "firmware";
	r->rom.data = r->firmware->data;
	r->rom.size = r->firmware->size;
	return 0;
}

/* As sha256sum(1) writes it. */
static int ksqlfs_rom_hash(struct ksql_rom *rom)
{
	u8 digest[SHA256_DIGEST_SIZE];
	ksqlfs_sha256 state;
	u64 done, n;

	sha256_init(&state);
	for (done = 0; done < rom->size; done += n) {
		if (fatal_signal_pending(current))
			return -EINTR;
		n = min_t(u64, rom->size - done, KSQLFS_ROM_PIECE);
		sha256_update(&state, (const u8 *)rom->data + done, n);
		cond_resched();
	}
	sha256_final(&state, digest);
	*bin2hex(rom->sha256, digest, sizeof(digest)) = '\0';
	return 0;
}

static int ksqlfs_rom_check(struct fs_context *fc, struct ksqlfs_rom *r,
			    const char *sha256)
{
	char *why;
	int err = ksqlfs_rom_hash(&r->rom);

	if (err)
		return err;
	if (strcasecmp(r->rom.sha256, sha256)) {
		errorf(fc, "ksqlfs: rom=%s: its SHA-256 is %s", r->name,
		       r->rom.sha256);
		return -EUCLEAN;
	}
	why = kmalloc(KSQLFS_ROM_WHY, GFP_KERNEL);
	if (!why)
		return -ENOMEM;
	err = ksql_rom_check(&r->rom, why, KSQLFS_ROM_WHY);
	if (err)
		errorf(fc, "ksqlfs: rom=%s: %s", r->name, why);
	kfree(why);
	return err;
}

/*
 * The image of a name, checked.  For ksql_db_get(), or to be released.  Process
 * context; reads files.
 */
int ksqlfs_rom_get(struct fs_context *fc, const char *name,
		   struct ksql_rom **out)
{
	char sha256[KSQLFS_ROM_SHA256];
	struct ksqlfs_rom *r;
	int err = 0;

	if (!ksqlfs_rom_is_name(name))
		return invalf(fc, "ksqlfs: rom=%s is no name of an image",
			      name);
	r = kzalloc(struct_size(r, name, strlen(name) + 1), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	strscpy(r->name, name, strlen(name) + 1);
	r->rom.name = r->name;
	r->rom.release = ksqlfs_rom_release;
	if (!ksqlfs_rom_built_in(r, sha256))
		err = ksqlfs_rom_load(fc, r, sha256);
	if (!err)
		err = ksqlfs_rom_check(fc, r, sha256);
	if (err) {
		ksqlfs_rom_release(&r->rom);
		return err;
	}
	*out = &r->rom;
	return 0;
}
