// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * check.c - is what somebody brings a database, and an undamaged one?
 */
#include "check.h"

#include "port/cstd.h"
#include "conn.h"

#define ENCODING_UTF8 1u

static const char magic[16] = "SQLite format 3";

uint32_t header_page_size(const unsigned char *header)
{
	uint32_t size = (uint32_t)header[AT_PAGE_SIZE] << 8 |
			header[AT_PAGE_SIZE + 1];

	return size == 1 ? 65536 : size;
}

int check_header(const unsigned char *header, struct fault *f)
{
	uint32_t page = header_page_size(header);

	if (memcmp(header, magic, sizeof(magic)) != 0 || page < 512 ||
	    page > 65536 || page & (page - 1))
		return fault_set(f, -EUCLEAN, -1,
				 "not a database file of SQLite 3");
	if (header_number(header + AT_ENCODING) > ENCODING_UTF8)
		return fault_set(
			f, -EUCLEAN, -1,
			"the text in this database is UTF-16; only UTF-8 can be taken");
	return 0;
}

int check_length(const unsigned char *header, uint64_t bytes, struct fault *f)
{
	uint32_t page = header_page_size(header);
	uint32_t pages = header_number(header + AT_PAGES);
	bool counted =
		memcmp(header + AT_COUNTER, header + AT_COUNTER_PAGES, 4) == 0;

	if (bytes % page || (counted && bytes / page < pages))
		return fault_set(
			f, -EUCLEAN, -1,
			"the file is cut off: %llu bytes of pages of %u%s",
			(unsigned long long)bytes, page,
			bytes % page ? "" : ", and its header counts more");
	return 0;
}

/*
 * Has memory been refused meanwhile, and by whom?  SQLite may say that a page
 * is damaged when it had no memory to read it.
 */
static int out_of_memory(const struct mem_stats *before)
{
	struct mem_stats now;

	mem_stats(&now);
	if (now.denied != before->denied)
		return -ENOSPC;
	return now.failed != before->failed ? -ENOMEM : 0;
}

int check_no_memory(const struct mem_stats *before, struct fault *f)
{
	return out_of_memory(before) == -ENOSPC ?
		       fault_set(f, -ENOSPC, -1,
				 "the memory limit is reached") :
		       fault_set(f, -ENOMEM, -1, "out of memory");
}

int check_refuse(struct conn *c, int rc, const struct mem_stats *before,
		 struct fault *f)
{
	struct mem_stats now;

	mem_stats(&now);
	conn_fault(c, rc, f);
	if (f->err == -ENOMEM && now.too_deep != before->too_deep)
		f->err = -EUCLEAN; /* made so that it exhausts the stack */
	else if (f->err == -ENOMEM && !out_of_memory(before))
		/* What SQLite says when a name comes twice. */
		fault_set(f, -EUCLEAN, -1, "malformed database schema");
	else if (f->err != -EINTR && f->err != -ETIMEDOUT &&
		 f->err != -ENOMEM && f->err != -ENOSPC)
		f->err = out_of_memory(before) ? check_no_memory(before, f) :
						 -EUCLEAN;
	return f->err;
}

int check_content(struct conn *c, const struct mem_stats *before,
		  struct fault *f)
{
	static const char head[] = "*** in database main ***\n";
	sqlite3_stmt *stmt = NULL;
	const char *said = NULL;
	int rc;

	rc = sqlite3_prepare_v2(c->lite, "PRAGMA main.integrity_check(1)", -1,
				&stmt, NULL);
	if (!rc) {
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			said = (const char *)sqlite3_column_text(stmt, 0);
	}
	if (!said) {
		check_refuse(c, rc == SQLITE_ROW ? SQLITE_NOMEM : rc, before,
			     f);
	} else if (strcmp(said, "ok") != 0) {
		if (strncmp(said, head, sizeof(head) - 1) == 0)
			said += sizeof(head) - 1;
		if (out_of_memory(before))
			check_no_memory(before, f);
		else
			fault_set(f, -EUCLEAN, -1, "damaged: %s", said);
	}
	sqlite3_finalize(stmt);
	return f->err;
}
