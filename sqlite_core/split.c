// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * split.c - where does a statement end?
 *
 * Two machines.  The outer one reads characters and knows strings, names and
 * comments; each token that it finishes moves the inner one, whose table is
 * that of SQLite's complete.c: it is there to see past the semicolons inside
 * CREATE TRIGGER ... BEGIN ...; ...; END;
 */
#include "split.h"

#include "port/cstd.h"
#include "work.h"

enum lex {
	LEX_PLAIN,
	LEX_WORD,
	LEX_SINGLE, /* 'string' */
	LEX_DOUBLE, /* "name" */
	LEX_GRAVE, /* `name` */
	LEX_BRACKET, /* [name] */
	LEX_DASH, /* after - */
	LEX_LINE, /* -- comment */
	LEX_SLASH, /* after / */
	LEX_BLOCK, /* inside a C comment */
	LEX_BLOCK_STAR, /* after a * in it */
};

enum token {
	T_SEMI,
	T_SPACE,
	T_OTHER,
	T_EXPLAIN,
	T_CREATE,
	T_TEMP,
	T_TRIGGER,
	T_END
};

enum state {
	S_INVALID, /* nothing yet but spaces */
	S_START, /* at a statement's beginning */
	S_NORMAL,
	S_EXPLAIN,
	S_CREATE,
	S_TRIGGER, /* inside CREATE TRIGGER */
	S_SEMI, /* a semicolon inside it */
	S_END, /* ";END" inside it */
};

static const uint8_t next_state[8][8] = {
	/* SEMI	SPACE	OTHER	EXPLAIN	CREATE	TEMP	TRIGGER	END */
	{ S_START, S_INVALID, S_NORMAL, S_EXPLAIN, S_CREATE, S_NORMAL, S_NORMAL,
	  S_NORMAL },
	{ S_START, S_START, S_NORMAL, S_EXPLAIN, S_CREATE, S_NORMAL, S_NORMAL,
	  S_NORMAL },
	{ S_START, S_NORMAL, S_NORMAL, S_NORMAL, S_NORMAL, S_NORMAL, S_NORMAL,
	  S_NORMAL },
	{ S_START, S_EXPLAIN, S_EXPLAIN, S_NORMAL, S_CREATE, S_NORMAL, S_NORMAL,
	  S_NORMAL },
	{ S_START, S_CREATE, S_NORMAL, S_NORMAL, S_NORMAL, S_CREATE, S_TRIGGER,
	  S_NORMAL },
	{ S_SEMI, S_TRIGGER, S_TRIGGER, S_TRIGGER, S_TRIGGER, S_TRIGGER,
	  S_TRIGGER, S_TRIGGER },
	{ S_SEMI, S_SEMI, S_TRIGGER, S_TRIGGER, S_TRIGGER, S_TRIGGER, S_TRIGGER,
	  S_END },
	{ S_START, S_END, S_TRIGGER, S_TRIGGER, S_TRIGGER, S_TRIGGER, S_TRIGGER,
	  S_TRIGGER },
};

void split_reset(struct split *s)
{
	memset(s, 0, sizeof(*s));
	s->lex = LEX_PLAIN;
	s->state = S_INVALID;
}

static void token(struct split *s, enum token t)
{
	s->state = next_state[s->state][t];
	if (t != T_SPACE && t != T_SEMI)
		s->any = true;
}

static bool is_word(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '$' || c >= 0x80;
}

static void word_add(struct split *s, unsigned char c)
{
	if (s->word_len < sizeof(s->word))
		s->word[s->word_len] =
			(char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	if (s->word_len <= sizeof(s->word))
		s->word_len++;
}

static void word_end(struct split *s)
{
	static const struct {
		const char *word;
		enum token token;
	} keywords[] = {
		{ "explain", T_EXPLAIN }, { "create", T_CREATE },
		{ "temp", T_TEMP },	  { "temporary", T_TEMP },
		{ "trigger", T_TRIGGER }, { "end", T_END },
	};
	size_t i;

	s->lex = LEX_PLAIN;
	if (s->word[0] != 'e' && s->word[0] != 'c' && s->word[0] != 't') {
		token(s, T_OTHER);
		return;
	}
	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (strlen(keywords[i].word) == s->word_len &&
		    memcmp(keywords[i].word, s->word, s->word_len) == 0) {
			token(s, keywords[i].token);
			return;
		}
	}
	token(s, T_OTHER);
}

static void plain(struct split *s, unsigned char c)
{
	switch (c) {
	case ';':
		token(s, T_SEMI);
		break;
	case ' ':
	case '\t':
	case '\n':
	case '\r':
	case '\f':
		token(s, T_SPACE);
		break;
	case '\'':
		s->lex = LEX_SINGLE;
		break;
	case '"':
		s->lex = LEX_DOUBLE;
		break;
	case '`':
		s->lex = LEX_GRAVE;
		break;
	case '[':
		s->lex = LEX_BRACKET;
		break;
	case '-':
		s->lex = LEX_DASH;
		break;
	case '/':
		s->lex = LEX_SLASH;
		break;
	default:
		if (is_word(c)) {
			s->lex = LEX_WORD;
			s->word_len = 0;
			word_add(s, c);
		} else {
			token(s, T_OTHER);
		}
	}
}

/* A quoted token: a string that was opened is something, ended or not. */
static void quoted(struct split *s, unsigned char c, unsigned char end)
{
	s->any = true;
	if (c == end) {
		s->lex = LEX_PLAIN;
		token(s, T_OTHER);
	}
}

static void step(struct split *s, unsigned char c)
{
	switch (s->lex) {
	case LEX_SINGLE:
		quoted(s, c, '\'');
		return;
	case LEX_DOUBLE:
		quoted(s, c, '"');
		return;
	case LEX_GRAVE:
		quoted(s, c, '`');
		return;
	case LEX_BRACKET:
		quoted(s, c, ']');
		return;
	case LEX_LINE:
		if (c == '\n') {
			s->lex = LEX_PLAIN;
			token(s, T_SPACE);
		}
		return;
	case LEX_BLOCK:
		if (c == '*')
			s->lex = LEX_BLOCK_STAR;
		return;
	case LEX_BLOCK_STAR:
		if (c == '/') {
			s->lex = LEX_PLAIN;
			token(s, T_SPACE);
		} else if (c != '*') {
			s->lex = LEX_BLOCK;
		}
		return;
	case LEX_DASH:
		if (c == '-') {
			s->lex = LEX_LINE;
			return;
		}
		s->lex = LEX_PLAIN;
		token(s, T_OTHER);
		break;
	case LEX_SLASH:
		if (c == '*') {
			s->lex = LEX_BLOCK;
			return;
		}
		s->lex = LEX_PLAIN;
		token(s, T_OTHER);
		break;
	case LEX_WORD:
		if (is_word(c)) {
			word_add(s, c);
			return;
		}
		word_end(s);
		break;
	default:
		break;
	}
	plain(s, c);
}

/* What can matter to a statement that is neither a CREATE nor an EXPLAIN. */
static const bool matters[256] = {
	[0] = true,   [';'] = true, ['\''] = true, ['"'] = true,
	['`'] = true, ['['] = true, ['-'] = true,  ['/'] = true,
};

/*
 * Most of a text is inside a string, or is words that no state looks at: how
 * many of the next bytes are such.  The rest goes through step().
 */
static size_t skip(struct split *s, const char *p, size_t n)
{
	char end = s->lex == LEX_SINGLE ? '\'' : '"';
	size_t i = 0;

	if (s->lex == LEX_SINGLE || s->lex == LEX_DOUBLE) {
		while (i < n && p[i] && p[i] != end)
			i++;
	} else if (s->state == S_NORMAL &&
		   (s->lex == LEX_PLAIN || s->lex == LEX_WORD)) {
		s->lex = LEX_PLAIN;
		while (i < n && !matters[(unsigned char)p[i]])
			i++;
	}
	return i;
}

static enum split_end scan(struct split *s, const char *p, size_t n,
			   size_t *taken)
{
	size_t i;

	for (i = 0; i < n; i++) {
		i += skip(s, p + i, n - i);
		if (i == n)
			break;
		if (!p[i]) {
			*taken = i;
			return SPLIT_NUL;
		}
		step(s, (unsigned char)p[i]);
		if (p[i] == ';' && s->state == S_START && s->lex == LEX_PLAIN) {
			*taken = i + 1;
			return SPLIT_COMPLETE;
		}
	}
	*taken = n;
	return SPLIT_MORE;
}

enum split_end split_scan(struct split *s, const char *p, size_t n,
			  size_t *taken)
{
	enum split_end end = SPLIT_MORE;
	size_t done;

	for (*taken = 0; end == SPLIT_MORE && *taken < n; *taken += done) {
		done = n - *taken < WORK_STEP ? n - *taken : WORK_STEP;
		end = scan(s, p + *taken, done, &done);
		if (done == WORK_STEP)
			work_on(done);
	}
	return end;
}

bool split_is_empty(const struct split *s)
{
	return !s->any && (s->lex == LEX_PLAIN || s->lex == LEX_LINE ||
			   s->lex == LEX_BLOCK || s->lex == LEX_BLOCK_STAR);
}

bool split_is_blank(const struct split *s)
{
	return !s->any && s->lex == LEX_PLAIN;
}

bool split_may_be_empty(const struct split *s)
{
	return split_is_empty(s) ||
	       (!s->any && (s->lex == LEX_DASH || s->lex == LEX_SLASH));
}

size_t split_leading(const char *p, size_t n)
{
	struct split s;
	size_t i, leading = 0;

	split_reset(&s);
	for (i = 0; i < n && !s.any && s.lex != LEX_WORD; i++) {
		step(&s, (unsigned char)p[i]);
		if (split_is_blank(&s))
			leading = i + 1;
	}
	return leading;
}
