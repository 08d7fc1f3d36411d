// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * log.c - the last failures, for the file "log".
 *
 * Each user has so many of its own, that another's do not push them out.
 */
#include "log.h"

#include "port/cstd.h"
#include "db.h"
#include "mem.h"

#define LOG_FAILURES 8u /* kept for a user, and shown */
#define LOG_USERS    64u /* kept; who has failed longest ago gives way */

struct failure {
	uint64_t number; /* the later the greater; 0: none yet */
	struct buf text;
};

/* Under the database's log_lock, all of it. */
struct log_user {
	struct log_user *next; /* in the database's list; owned by that */
	uint32_t uid;
	uint64_t last; /* number of its last one */
	unsigned int at; /* its oldest one, which the next replaces */
	struct failure failures[LOG_FAILURES];
};

/* --- one failure as text ------------------------------------------------- */

static unsigned int days_of_year(unsigned int year)
{
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return leap ? 366 : 365;
}

static unsigned int days_of_month(unsigned int year, unsigned int month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30,
					      31, 31, 30, 31, 30, 31 };

	return days[month] + (month == 1 && days_of_year(year) == 366);
}

/* ISO 8601, UTC. */
static void put_time(struct buf *out, int64_t ns)
{
	uint64_t ms = ns > 0 ? (uint64_t)ns / 1000000 : 0;
	unsigned int year = 1970, month = 0;
	uint64_t days = ms / 86400000, rest = ms % 86400000;

	for (; days >= days_of_year(year); year++)
		days -= days_of_year(year);
	for (; days >= days_of_month(year, month); month++)
		days -= days_of_month(year, month);
	buf_printf(out, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year, month + 1,
		   (unsigned int)days + 1, (unsigned int)(rest / 3600000),
		   (unsigned int)(rest / 60000 % 60),
		   (unsigned int)(rest / 1000 % 60),
		   (unsigned int)(rest % 1000));
}

static void put_failure(struct buf *out, const struct ksql_caller *who,
			const struct fault *f, const char *sql, size_t len)
{
	put_time(out, port_realtime_ns());
	buf_printf(out, " uid %u pid %d ", who->uid, who->pid);
	fault_as_lines(f, sql, len, out);
}

/* --- keeping them -------------------------------------------------------- */

/* Called under log_lock. */
static struct log_user *find(struct ksql_db *db, uint32_t uid)
{
	struct log_user *u;

	for (u = db->log; u; u = u->next)
		if (u->uid == uid)
			break;
	return u;
}

static void forget(struct log_user *u)
{
	unsigned int i;

	for (i = 0; i < LOG_FAILURES; i++) {
		buf_free(&u->failures[i].text);
		u->failures[i].number = 0;
	}
}

/* The user's, new or in place of another's.  NULL if no memory. */
static struct log_user *find_or_make(struct ksql_db *db, uint32_t uid)
{
	struct log_user *u = find(db, uid), *oldest = db->log;
	unsigned int count = 0;

	if (u)
		return u;
	for (u = db->log; u; u = u->next) {
		count++;
		if (u->last < oldest->last)
			oldest = u;
	}
	if (count >= LOG_USERS) {
		u = oldest;
		forget(u);
	} else {
		u = ksql_zalloc(sizeof(*u));
		if (!u)
			return NULL;
		u->next = db->log;
		db->log = u;
	}
	u->uid = uid;
	return u;
}

void log_add(struct ksql_db *db, uint32_t uid, const struct ksql_caller *who,
	     const struct fault *f, const char *sql, size_t len)
{
	struct buf text = { 0 }, old;
	struct log_user *u = NULL;
	struct failure *to;

	put_failure(&text, who, f, sql, len);
	if (text.failed)
		goto free_text;
	port_mutex_lock(db->log_lock);
	u = find_or_make(db, uid);
	if (u) {
		to = &u->failures[u->at];
		u->at = (u->at + 1) % LOG_FAILURES;
		u->last = ++db->logged;
		to->number = u->last;
		old = to->text;
		to->text = text;
		text = old;
	}
	port_mutex_unlock(db->log_lock);
free_text:
	buf_free(&text);
}

void log_forget(struct ksql_db *db)
{
	struct log_user *u;

	while (db->log) {
		u = db->log;
		db->log = u->next;
		forget(u);
		ksql_free(u);
	}
}

/* --- showing them -------------------------------------------------------- */

/* The last one of @uid (root: of all) before @before.  Called under log_lock. */
static const struct failure *last_before(struct ksql_db *db, uint32_t uid,
					 uint64_t before)
{
	const struct failure *last = NULL, *f;
	const struct log_user *u;

	for (u = db->log; u; u = u->next) {
		if (uid && u->uid != uid)
			continue;
		for (f = u->failures; f < u->failures + LOG_FAILURES; f++)
			if (f->number && f->number < before &&
			    (!last || f->number > last->number))
				last = f;
	}
	return last;
}

int log_text(struct ksql_db *db, uint32_t uid, struct buf *out)
{
	const struct failure *shown[LOG_FAILURES];
	uint64_t before = ~(uint64_t)0;
	unsigned int count;

	port_mutex_lock(db->log_lock);
	for (count = 0; count < LOG_FAILURES; count++) {
		shown[count] = last_before(db, uid, before);
		if (!shown[count])
			break;
		before = shown[count]->number;
	}
	while (count--)
		buf_add(out, shown[count]->text.data, shown[count]->text.len);
	port_mutex_unlock(db->log_lock);
	return out->failed ? -ENOMEM : 0;
}
