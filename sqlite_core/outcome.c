// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * outcome.c - what a finished batch left.
 */
#include "outcome.h"

#include "port/cstd.h"
#include "db.h"
#include "log.h"
#include "mem.h"

struct outcome *outcome_new(uint32_t uid)
{
	struct outcome *o = ksql_zalloc(sizeof(*o));

	if (!o)
		return NULL;
	o->lock = port_mutex_new();
	if (!o->lock) {
		ksql_free(o);
		return NULL;
	}
	o->users = 1;
	o->uid = uid;
	return o;
}

void outcome_put(struct outcome *o)
{
	int i;

	if (!o || __atomic_sub_fetch(&o->users, 1, __ATOMIC_ACQ_REL))
		return;
	outcome_put(o->result);
	rows_free(&o->rows);
	buf_free(&o->error);
	buf_free(&o->status);
	for (i = 0; i < FORMATS; i++)
		buf_free(&o->text[i]);
	buf_free(&o->value);
	port_mutex_free(o->lock);
	ksql_free(o);
}

struct outcome *outcome_get(struct ksql_db *db, uint32_t uid)
{
	struct outcome *o;

	port_spin_lock(&db->lock);
	for (o = db->outcomes; o; o = o->next)
		if (o->uid == uid)
			break;
	if (o)
		__atomic_fetch_add(&o->users, 1, __ATOMIC_RELAXED);
	port_spin_unlock(&db->lock);
	return o;
}

int outcome_describe(struct outcome *o, const struct report *r)
{
	if (r->err)
		buf_add(&o->error, r->error->data, r->error->len);
	else
		buf_puts(&o->error, "ok\n");
	o->error.failed |= r->err && r->error->failed;
	buf_printf(&o->status,
		   "state %s\nerrno %s\nsqlite %d\nrows %llu\nchanges %llu\n",
		   r->err ? "error" : "ok", errno_name(r->err), r->sqlite,
		   (unsigned long long)r->rows, (unsigned long long)r->changes);
	buf_printf(&o->status,
		   "last_insert_rowid %lld\nusec %lld\ntruncated 0\n",
		   (long long)r->rowid, (long long)r->ns / 1000);
	return o->error.failed || o->status.failed ? -ENOMEM : 0;
}

void outcome_keep_result(struct outcome *o, struct outcome *last)
{
	o->result = last;
	if (last && last->result) {
		o->result = last->result;
		__atomic_fetch_add(&o->result->users, 1, __ATOMIC_RELAXED);
		outcome_put(last);
	}
}

void outcome_publish(struct ksql_db *db, struct outcome *o)
{
	struct outcome **at, *old;

	port_spin_lock(&db->lock);
	for (at = &db->outcomes; *at && (*at)->uid != o->uid; at = &(*at)->next)
		;
	old = *at;
	o->next = old ? old->next : NULL;
	*at = o;
	port_spin_unlock(&db->lock);
	outcome_put(old);
}

int outcome_tell(struct ksql_db *db, struct outcome *o,
		 const struct ksql_caller *who, const struct fault *f,
		 const struct report *counts)
{
	struct buf text = { 0 };
	struct report r = { .err = f->err,
			    .sqlite = f->sqlite,
			    .error = &text,
			    .rows = counts->rows,
			    .changes = counts->changes,
			    .rowid = counts->rowid,
			    .ns = counts->ns };
	int err;

	if (f->err)
		log_add(db, who->uid, who, f, NULL, 0);
	if (!o)
		return -ENOMEM;
	fault_describe(f, NULL, 0, &text);
	outcome_keep_result(o, outcome_get(db, who->uid));
	err = outcome_describe(o, &r);
	outcome_publish(db, o);
	buf_free(&text);
	return err;
}

void outcome_forget(struct ksql_db *db)
{
	while (db->outcomes) {
		struct outcome *o = db->outcomes;

		db->outcomes = o->next;
		outcome_put(o);
	}
}

struct outcome *outcome_rows(struct outcome *o)
{
	return o->result ? o->result : o;
}

int outcome_text(struct outcome *o, enum format format, const struct buf **text)
{
	int err = 0;

	port_mutex_lock(o->lock);
	if (!o->have[format]) {
		buf_free(&o->text[format]);
		err = rows_render(&o->rows, format, &o->text[format]);
		o->have[format] = !err;
	}
	port_mutex_unlock(o->lock);
	*text = &o->text[format];
	return err;
}

int outcome_size(struct outcome *o, enum format format, uint64_t *size)
{
	int err = 0;

	port_mutex_lock(o->lock);
	if (o->have[format]) {
		*size = o->text[format].len;
	} else {
		if (!o->have_size[format])
			err = rows_size(&o->rows, format, &o->size[format]);
		o->have_size[format] = !err;
		*size = o->size[format];
	}
	port_mutex_unlock(o->lock);
	return err;
}

int outcome_value(struct outcome *o, const struct buf **text)
{
	struct value value;
	int err = 0;

	port_mutex_lock(o->lock);
	if (!o->have_value) {
		buf_free(&o->value);
		if (rows_first_value(&o->rows, &value)) {
			render_bare(&o->value, &value);
			buf_putc(&o->value, '\n');
		}
		if (o->value.failed)
			err = -ENOMEM;
		o->have_value = !err;
	}
	port_mutex_unlock(o->lock);
	*text = &o->value;
	return err;
}
