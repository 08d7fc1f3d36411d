// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * node.c - names and nodes of the tree.
 */
#include "node.h"

#include "port/cstd.h"
#include "catalog.h"
#include "db.h"
#include "mem.h"
#include "open.h"
#include "render.h"
#include "rom.h"
#include "size.h"
#include "session_dir.h"
#include "tracked.h"

#define NAME_MAX_BYTES 255u

static int make_session(struct ksql_db *db, struct ksql_node *dir,
			const char *name, size_t len,
			const struct ksql_caller *caller, bool is_dir,
			struct ksql_node **node);
static int remove_session(struct ksql_db *db, struct ksql_node *node,
			  const struct ksql_caller *caller);

/* --- the tree ------------------------------------------------------------ */

static const struct entry table_entries[] = {
	{ .name = "data.csv", .kind = KIND_DATA, .arg = FORMAT_CSV },
	{ .name = "data.json", .kind = KIND_DATA, .arg = FORMAT_JSON },
	{ .name = "data.ndjson", .kind = KIND_DATA, .arg = FORMAT_NDJSON },
	{ .name = "data.tsv", .kind = KIND_DATA, .arg = FORMAT_TSV },
	{ .name = "schema", .kind = KIND_CONTENT, .content = table_schema },
	{ .name = "columns", .kind = KIND_CONTENT, .content = table_columns },
	{ .name = "count", .kind = KIND_CONTENT, .content = table_count },
	{ .name = "changes", .kind = KIND_CHANGES },
	{ .name = "insert.csv", .kind = KIND_INSERT, .arg = FORMAT_CSV },
	{ .name = "insert.ndjson", .kind = KIND_INSERT, .arg = FORMAT_NDJSON },
	{ .name = NULL },
};

static const struct entry table_dir = { .kind = KIND_DIR,
					.children = table_entries };

static const struct entry view_entries[] = {
	{ .name = "data.csv", .kind = KIND_DATA, .arg = FORMAT_CSV },
	{ .name = "data.json", .kind = KIND_DATA, .arg = FORMAT_JSON },
	{ .name = "data.ndjson", .kind = KIND_DATA, .arg = FORMAT_NDJSON },
	{ .name = "data.tsv", .kind = KIND_DATA, .arg = FORMAT_TSV },
	{ .name = "schema", .kind = KIND_CONTENT, .content = table_schema },
	{ .name = "columns", .kind = KIND_CONTENT, .content = table_columns },
	{ .name = "count", .kind = KIND_RUN, .run = view_count },
	{ .name = "value", .kind = KIND_RUN, .run = view_value },
	{ .name = NULL },
};

static const struct entry view_dir = { .kind = KIND_DIR,
				       .children = view_entries };

static const struct entry index_entries[] = {
	{ .name = "schema", .kind = KIND_CONTENT, .content = index_schema },
	{ .name = "table", .kind = KIND_CONTENT, .content = index_table },
	{ .name = "columns", .kind = KIND_CONTENT, .content = index_columns },
	{ .name = NULL },
};

static const struct entry index_dir = { .kind = KIND_DIR,
					.children = index_entries };

#define PROM ".prom"

static const struct entry metric_file = { .name = PROM,
					  .kind = KIND_RUN,
					  .run = metrics_view };

/* No view of this name is a metric: metric_is(). */
static const struct entry metrics_entries[] = {
	{ .name = "ksqlfs.prom", .kind = KIND_RUN, .run = metrics_engine },
	{ .name = NULL },
};

static const struct entry info_entries[] = {
	{ .name = "version", .kind = KIND_CONTENT, .content = info_version },
	{ .name = "sqlite_version",
	  .kind = KIND_CONTENT,
	  .content = info_sqlite_version },
	{ .name = "features", .kind = KIND_CONTENT, .content = info_features },
	{ .name = "limits", .kind = KIND_CONTENT, .content = info_limits },
	{ .name = "compile_options",
	  .kind = KIND_CONTENT,
	  .content = info_compile_options },
	{ .name = "memory", .kind = KIND_CONTENT, .content = info_memory },
	{ .name = "latency", .kind = KIND_RUN, .run = info_latency },
	{ .name = "rom", .kind = KIND_CONTENT, .content = info_rom },
	{ .name = NULL },
};

/* What asks and answers, of a session and of the root. */
static const struct entry session_entries[] = {
	{ .name = "query", .kind = KIND_QUERY, .arg = FORMAT_CSV },
	{ .name = "query.json", .kind = KIND_QUERY, .arg = FORMAT_JSON },
	{ .name = "query.ndjson", .kind = KIND_QUERY, .arg = FORMAT_NDJSON },
	{ .name = "query.rows", .kind = KIND_QUERY, .arg = FORMAT_ROWS },
	{ .name = "query.tsv", .kind = KIND_QUERY, .arg = FORMAT_TSV },
	{ .name = "result", .kind = KIND_RESULT, .arg = FORMAT_CSV },
	{ .name = "result.json", .kind = KIND_RESULT, .arg = FORMAT_JSON },
	{ .name = "result.ndjson", .kind = KIND_RESULT, .arg = FORMAT_NDJSON },
	{ .name = "result.tsv", .kind = KIND_RESULT, .arg = FORMAT_TSV },
	{ .name = "value", .kind = KIND_VALUE },
	{ .name = "error", .kind = KIND_ERROR },
	{ .name = "status", .kind = KIND_STATUS },
	{ .name = NULL },
};

static const struct entry session_entry = { .kind = KIND_DIR,
					    .remove = remove_session,
					    .children = session_entries };

/* What the root has besides. */
static const struct entry root_entries[] = {
	{ .name = "log", .kind = KIND_LOG },
	{ .name = "events", .kind = KIND_EVENTS },
	{ .name = "tables",
	  .kind = KIND_OBJECTS,
	  .arg = OBJECT_TABLE,
	  .each = &table_dir },
	{ .name = "views",
	  .kind = KIND_OBJECTS,
	  .arg = OBJECT_VIEW,
	  .each = &view_dir },
	{ .name = "indexes",
	  .kind = KIND_OBJECTS,
	  .arg = OBJECT_INDEX,
	  .each = &index_dir },
	{ .name = "metrics",
	  .kind = KIND_OBJECTS,
	  .arg = OBJECT_METRIC,
	  .each = &metric_file,
	  .children = metrics_entries },
	{ .name = "sessions",
	  .kind = KIND_SESSIONS,
	  .make = make_session,
	  .sticky = true,
	  .each = &session_entry },
	{ .name = "image", .kind = KIND_IMAGE },
	{ .name = "import", .kind = KIND_DIR, .make = import_make },
	{ .name = "info", .kind = KIND_DIR, .children = info_entries },
	{ .name = NULL },
};

static const struct entry root_entry = { .name = "",
					 .kind = KIND_DIR,
					 .children = session_entries,
					 .also = root_entries };

/* --- names --------------------------------------------------------------- */

static bool must_escape(const char *name, size_t i)
{
	unsigned char c = (unsigned char)name[i];

	return c < 0x20 || c == 0x7f || c == '/' || c == '%' ||
	       (i == 0 && c == '.');
}

void name_escape(const char *name, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t i;

	for (i = 0; name[i]; i++) {
		if (must_escape(name, i)) {
			buf_putc(out, '%');
			buf_putc(out, digits[(unsigned char)name[i] >> 4]);
			buf_putc(out, digits[(unsigned char)name[i] & 15]);
		} else {
			buf_putc(out, name[i]);
		}
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *name_unescape(const char *name, size_t len, int *err)
{
	char *sql = ksql_alloc(len + 1);
	struct buf again = { 0 };
	size_t i, n = 0;
	bool same;

	*err = -ENOMEM;
	if (!sql)
		return NULL;
	for (i = 0; i < len; i++) {
		if (name[i] == '%' && len - i > 2 &&
		    hex_digit(name[i + 1]) >= 0 &&
		    hex_digit(name[i + 2]) >= 0) {
			sql[n++] = (char)(hex_digit(name[i + 1]) << 4 |
					  hex_digit(name[i + 2]));
			i += 2;
		} else {
			sql[n++] = name[i];
		}
	}
	sql[n] = '\0';
	name_escape(sql, &again);
	same = again.len == len && memcmp(again.data, name, len) == 0;
	if (!again.failed && !same)
		*err = -ENOENT;
	if (again.failed || !same) {
		ksql_free(sql);
		sql = NULL;
	}
	buf_free(&again);
	return sql;
}

/* --- nodes --------------------------------------------------------------- */

/* FNV-1a, 64 bits, by Fowler, Noll and Vo. */
static uint64_t hash_more(uint64_t h, const char *p)
{
	do {
		h = (h ^ (unsigned char)*p) * 1099511628211ull;
	} while (*p++);
	return h;
}

static uint64_t node_number(const struct entry *entry, const char *object)
{
	uint64_t h = 14695981039346656037ull;

	if (entry == &root_entry)
		return 1;
	h = hash_more(h, entry->name ? entry->name : "/");
	return hash_more(h, object ? object : "") | 2; /* neither 0 nor 1 */
}

/* A session made anew is another, whatever its name. */
static uint64_t session_node_number(const struct entry *entry,
				    const struct session_dir *session)
{
	char number[24];

	if (!session)
		return node_number(entry, NULL);
	sqlite3_snprintf(sizeof(number), number, "/%llu",
			 (unsigned long long)session->number);
	return node_number(entry, number);
}

static bool is_dir_entry(const struct entry *entry)
{
	return entry->kind == KIND_DIR || entry->kind == KIND_OBJECTS ||
	       entry->kind == KIND_SESSIONS;
}

static bool is_metrics(const struct entry *entry)
{
	return entry == &metric_file || entry == metrics_entries ||
	       (entry->kind == KIND_OBJECTS && entry->arg == OBJECT_METRIC);
}

struct ksql_node *node_new(const struct entry *entry, char *object)
{
	struct ksql_node *node = ksql_zalloc(sizeof(*node));

	if (!node) {
		ksql_free(object);
		return NULL;
	}
	node->entry = entry;
	node->object = object;
	node->head.users = 1;
	node->head.ino = node_number(entry, object);
	node->head.kind = entry;
	node->head.object = object;
	node->head.is_dir = is_dir_entry(entry);
	node->head.is_stream = entry->kind == KIND_QUERY ||
			       entry->kind == KIND_CHANGES;
	node->head.is_written =
		entry->kind == KIND_QUERY || entry->kind == KIND_IMAGE ||
		entry->kind == KIND_INSERT || entry->kind == KIND_IMPORT;
	node->head.has_version = entry->kind == KIND_EVENTS;
	node->head.is_metrics = is_metrics(entry);
	node->head.leads_to_metrics =
		entry == &root_entry ||
		(is_metrics(entry) && is_dir_entry(entry));
	node->head.is_made_in = entry->make;
	node->head.is_sticky = entry->sticky;
	return node;
}

/* Does what a table has of this kind change with it? */
static bool has_version(const struct entry *entry)
{
	return entry->kind == KIND_DIR || entry->kind == KIND_DATA ||
	       entry->kind == KIND_CONTENT;
}

/* Of a node that has an object. */
static void set_object_kind(struct ksql_node *node, enum object kind)
{
	node->object_kind = kind;
	node->head.has_version |= node->object && kind == OBJECT_TABLE &&
				  has_version(node->entry);
}

/* Takes over a count of @session; NULL if no memory. */
static struct ksql_node *session_node_new(const struct entry *entry,
					  struct session_dir *session)
{
	struct ksql_node *node = node_new(entry, NULL);

	if (!node) {
		session_dir_put(session);
		return NULL;
	}
	node->session = session;
	node->head.ino = session_node_number(entry, session);
	node->head.has_owner = true;
	node->head.uid = session->uid;
	node->head.gid = session->gid;
	return node;
}

void engine_node_free(struct ksql_node *node)
{
	session_dir_put(node->session);
	ksql_free(node->object);
	ksql_free(node);
}

struct ksql_node *engine_root(struct ksql_db *db)
{
	(void)db;
	return node_new(&root_entry, NULL);
}

static const char *suffix_of(const struct entry *each)
{
	return each->name ? each->name : "";
}

/* The node of an object by its name in the tree. */
static int lookup_object(struct ksql_db *db, struct ksql_node *dir,
			 const char *name, size_t len, struct ksql_node **out)
{
	const struct entry *each = dir->entry->each;
	size_t tail = strlen(suffix_of(each));
	char *sql;
	int ret;

	if (len <= tail ||
	    memcmp(name + len - tail, suffix_of(each), tail) != 0)
		return -ENOENT;
	sql = name_unescape(name, len - tail, &ret);
	if (!sql)
		return ret;
	ret = catalog_has(db, dir->entry->arg, sql);
	if (ret <= 0) {
		ksql_free(sql);
		return ret ? ret : -ENOENT;
	}
	*out = node_new(each, sql);
	if (!*out)
		return -ENOMEM;
	set_object_kind(*out, dir->entry->arg);
	return 0;
}

static int lookup_session(struct ksql_db *db, const char *name, size_t len,
			  struct ksql_node **out)
{
	struct session_dir *session = session_dir_find(db, name, len);

	if (!session)
		return -ENOENT;
	*out = session_node_new(&session_entry, session);
	return *out ? 0 : -ENOMEM;
}

static int make_session(struct ksql_db *db, struct ksql_node *dir,
			const char *name, size_t len,
			const struct ksql_caller *caller, bool is_dir,
			struct ksql_node **node)
{
	struct session_dir *session;
	int err;

	(void)dir;
	if (!is_dir)
		return -EPERM;
	err = session_dir_make(db, name, len, caller, &session);
	if (err)
		return err;
	session_dir_get(session);
	*node = session_node_new(&session_entry, session);
	if (!*node) {
		session_dir_remove(session);
		err = -ENOMEM;
	}
	session_dir_put(session);
	return err;
}

static int remove_session(struct ksql_db *db, struct ksql_node *node,
			  const struct ksql_caller *caller)
{
	(void)db;
	if (caller->uid && caller->uid != node->session->uid)
		return -EPERM;
	return session_dir_remove(node->session);
}

static const struct entry *find_among(const struct entry *e, const char *name,
				      size_t len)
{
	for (; e && e->name; e++)
		if (strlen(e->name) == len && memcmp(e->name, name, len) == 0)
			return e;
	return NULL;
}

static const struct entry *find_child(const struct entry *dir, const char *name,
				      size_t len)
{
	const struct entry *e = find_among(dir->children, name, len);

	return e ? e : find_among(dir->also, name, len);
}

int engine_lookup(struct ksql_db *db, struct ksql_node *dir, const char *name,
		  size_t len, struct ksql_node **out)
{
	const struct entry *e;
	char *object = NULL;

	if (!is_dir_entry(dir->entry))
		return -ENOTDIR;
	if (len > NAME_MAX_BYTES)
		return -ENAMETOOLONG;
	e = find_child(dir->entry, name, len);
	if (!e && dir->entry->kind == KIND_SESSIONS)
		return lookup_session(db, name, len, out);
	if (!e)
		return dir->entry->each ?
			       lookup_object(db, dir, name, len, out) :
			       -ENOENT;
	if (dir->session) {
		*out = session_node_new(e, session_dir_get(dir->session));
		return *out ? 0 : -ENOMEM;
	}
	if (dir->object) {
		object = ksql_strndup(dir->object, strlen(dir->object));
		if (!object)
			return -ENOMEM;
	}
	*out = node_new(e, object);
	if (!*out)
		return -ENOMEM;
	set_object_kind(*out, dir->object_kind);
	return 0;
}

int engine_node_exists(struct ksql_db *db, struct ksql_node *node)
{
	if (node->session)
		return !session_dir_is_removed(node->session);
	if (node->entry->kind == KIND_IMPORT)
		return __atomic_load_n(&node->life, __ATOMIC_RELAXED) != 0;
	return node->object ? catalog_has(db, node->object_kind, node->object) :
			      1;
}

int engine_make(struct ksql_db *db, struct ksql_node *dir, const char *name,
		size_t len, const struct ksql_caller *caller, bool is_dir,
		struct ksql_node **node)
{
	if (!is_dir_entry(dir->entry))
		return -ENOTDIR;
	if (len > NAME_MAX_BYTES)
		return -ENAMETOOLONG;
	if (!dir->entry->make)
		return -EPERM;
	return dir->entry->make(db, dir, name, len, caller, is_dir, node);
}

int engine_remove(struct ksql_db *db, struct ksql_node *node,
		  const struct ksql_caller *caller)
{
	if (!node->entry->remove)
		return -EPERM;
	return node->entry->remove(db, node, caller);
}

/* Is it a table's folder, or a file of it? */
static bool is_tables(const struct ksql_node *node)
{
	return node->object && node->object_kind == OBJECT_TABLE;
}

uint64_t engine_node_version(struct ksql_db *db, struct ksql_node *node)
{
	struct table_facts facts;

	if (node->entry->kind == KIND_EVENTS || node->entry == &root_entry)
		return __atomic_load_n(&db->commits, __ATOMIC_SEQ_CST);
	if (!is_tables(node) || tracked_facts(db, node->object, &facts))
		return 0;
	return facts.version;
}

/* The size of a table's rows in a format; that in others may be known with it. */
static int data_attr(struct ksql_db *db, struct ksql_node *node,
		     const struct table_facts *facts, struct ksql_attr *attr)
{
	struct data_sizes sizes;
	unsigned int place;
	int err = size_of_data(db, node->object, node->entry->arg, &sizes);

	if (err)
		return err;
	attr->size = sizes.size[node->entry->arg];
	for (place = 0; table_entries[place].kind == KIND_DATA; place++) {
		int format = table_entries[place].arg;

		if (sizes.known[format])
			tracked_set_size(db, node->object, facts->version,
					 place, sizes.size[format]);
	}
	return 0;
}

/* Times and sizes of a table's own, as long as nothing changes it. */
static int table_attr(struct ksql_db *db, struct ksql_node *node, uint32_t uid,
		      struct ksql_attr *attr)
{
	unsigned int place = (unsigned int)(node->entry - table_entries);
	struct table_facts facts;
	int err = tracked_facts(db, node->object, &facts);

	if (err)
		return err;
	attr->mtime_ns = facts.changed_ns;
	if (is_dir_entry(node->entry))
		return 0;
	if (place < TRACKED_FILES && facts.have_size[place]) {
		attr->size = facts.size[place];
		return 0;
	}
	if (node->entry->kind == KIND_DATA)
		return data_attr(db, node, &facts, attr);
	err = open_size(db, node, uid, &attr->size);
	if (err)
		return err;
	err = catalog_has(db, OBJECT_VIRTUAL, node->object);
	if (!err && place < TRACKED_FILES)
		tracked_set_size(db, node->object, facts.version, place,
				 attr->size);
	return err < 0 ? err : 0;
}

int engine_getattr(struct ksql_db *db, struct ksql_node *node,
		   const struct ksql_caller *caller, struct ksql_attr *attr)
{
	int exists = engine_node_exists(db, node);

	if (exists <= 0)
		return exists ? exists : -ENOENT;
	attr->ino = node->head.ino;
	attr->mtime_ns = __atomic_load_n(&db->changed_ns, __ATOMIC_RELAXED);
	attr->size = 0;
	if (is_tables(node))
		return table_attr(db, node, caller->uid, attr);
	return is_dir_entry(node->entry) ?
		       0 :
		       open_size(db, node, caller->uid, &attr->size);
}

/* --- listing ------------------------------------------------------------- */

/* Entries are gathered first, as what they point to still moves while it grows. */
struct listing {
	struct buf names; /* each ended by NUL */
	struct buf listed; /* struct listed each */
	const struct entry *each;
	uint64_t count;
};

struct listed {
	const struct entry *entry;
	uint64_t ino;
};

static void list_one(struct listing *l, const char *name, size_t len,
		     const struct entry *entry, uint64_t ino)
{
	struct listed one = { .entry = entry, .ino = ino };

	buf_add(&l->names, name, len);
	buf_putc(&l->names, '\0');
	buf_add(&l->listed, &one, sizeof(one));
	l->count++;
}

static void list_object(void *arg, const char *name)
{
	struct listing *l = arg;
	struct buf escaped = { 0 };

	name_escape(name, &escaped);
	buf_puts(&escaped, suffix_of(l->each));
	if (escaped.failed)
		l->names.failed = true;
	else if (escaped.len && escaped.len <= NAME_MAX_BYTES)
		list_one(l, escaped.data, escaped.len, l->each,
			 node_number(l->each, name));
	buf_free(&escaped);
}

static void list_session(void *arg, const struct session_dir *session)
{
	struct listing *l = arg;

	list_one(l, session->name, session->len, l->each,
		 session_node_number(l->each, session));
}

static void list_entries(struct ksql_node *node, const struct entry *e,
			 struct listing *l)
{
	for (; e && e->name; e++)
		list_one(l, e->name, strlen(e->name), e,
			 node->session ? session_node_number(e, node->session) :
					 node_number(e, node->object));
}

/* As its node will say. */
static bool child_has_version(const struct ksql_node *node,
			      const struct entry *e)
{
	if (e == &table_dir || is_tables(node))
		return has_version(e);
	return e->kind == KIND_EVENTS;
}

static struct ksql_dir *listing_to_dir(const struct ksql_node *node,
				       const struct listing *l)
{
	struct ksql_dir *dir = ksql_zalloc(sizeof(*dir));
	const struct listed *from = (const struct listed *)l->listed.data;
	char *names;
	uint64_t i;

	if (!dir)
		return NULL;
	dir->entries =
		ksql_alloc(l->count * sizeof(*dir->entries) + l->names.len + 1);
	if (!dir->entries) {
		ksql_free(dir);
		return NULL;
	}
	names = (char *)(dir->entries + l->count);
	if (l->names.len)
		memcpy(names, l->names.data, l->names.len);
	for (i = 0; i < l->count; i++) {
		struct ksql_dirent *e = &dir->entries[i];

		e->name = names;
		e->name_len = strlen(names);
		e->is_dir = is_dir_entry(from[i].entry);
		e->has_version = child_has_version(node, from[i].entry);
		e->ino = from[i].ino;
		names += e->name_len + 1;
	}
	dir->count = l->count;
	return dir;
}

int engine_opendir(struct ksql_db *db, struct ksql_node *node,
		   const struct ksql_caller *caller, struct ksql_dir **dir)
{
	struct listing l = { .each = node->entry->each };
	int err = 0;

	if (!is_dir_entry(node->entry))
		return -ENOTDIR;
	list_entries(node, node->entry->children, &l); /* always there */
	list_entries(node, node->entry->also, &l);
	if (node->entry->kind == KIND_SESSIONS)
		err = session_dir_each(db, caller->uid, list_session, &l);
	else if (l.each)
		err = catalog_each(db, node->entry->arg, list_object, &l);
	if (!err) {
		*dir = l.names.failed || l.listed.failed ?
			       NULL :
			       listing_to_dir(node, &l);
		err = *dir ? 0 : -ENOMEM;
	}
	buf_free(&l.names);
	buf_free(&l.listed);
	return err;
}

void engine_closedir(struct ksql_dir *dir)
{
	ksql_free(dir->entries);
	ksql_free(dir);
}
