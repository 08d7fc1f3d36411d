/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * split.h - where does a statement end?  Asked byte by byte.
 *
 * The rules are those of sqlite3_complete(): a semicolon outside of strings,
 * names, comments and the body of a CREATE TRIGGER.  That function wants the
 * whole text each time; statements arrive here in pieces, and looking again at
 * 16 MiB for each piece would take forever.  Engine side.
 */
#ifndef KSQL_SPLIT_H
#define KSQL_SPLIT_H

#include "port/types.h"

struct split {
	uint8_t lex; /* where in a token we are */
	uint8_t state; /* where in a statement we are */
	uint8_t word_len; /* letters of the word so far, those in @word at most */
	char word[10]; /* lower case; no keyword that matters is longer */
	bool any; /* something other than space and comments was seen */
};

/** split_is_empty() - nothing but space and comments (or the start of one) so far. */
bool split_is_empty(const struct split *s);

/** split_is_blank() - nothing but space and whole comments. */
bool split_is_blank(const struct split *s);
/** split_may_be_empty() - split_is_empty(), or it depends on the next byte. */
bool split_may_be_empty(const struct split *s);
/** split_leading() - how many bytes of space and comments are before a text. */
size_t split_leading(const char *p, size_t n);

enum split_end {
	SPLIT_MORE, /* all bytes taken, the statement goes on */
	SPLIT_COMPLETE, /* the last byte taken is its semicolon */
	SPLIT_NUL, /* the next byte is a NUL */
};

/** split_reset() - at the beginning of a statement. */
void split_reset(struct split *s);

/**
 * split_scan() - look at the next bytes
 * @taken: out: how many belong to the statement
 */
enum split_end split_scan(struct split *s, const char *p, size_t n,
			  size_t *taken);

#endif /* KSQL_SPLIT_H */
