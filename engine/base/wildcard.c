/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/wildcard.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum token_kind { LITERAL, ANY_BUT_SLASH, CLASS, STAR, STARSTAR };

struct token {
	uint8_t kind;
	uint8_t byte; /* LITERAL */
	uint16_t set; /* CLASS: index into sets */
};

struct byte_set {
	uint64_t bits[4];
};

struct jb_wildcard {
	size_t n_tokens, n_sets;
	struct token *tokens;  /* owned */
	struct byte_set *sets; /* owned */
};

/* How a match fails decides what is tried next. END: the text came to its end
 * before the pattern, so no longer stretch for an earlier star can help. SLASH:
 * a '*' met a slash, so only an earlier '**' can help. */
enum verdict { MATCH, MISMATCH, MISMATCH_END, MISMATCH_SLASH };

static void set_add(struct byte_set *set, unsigned int byte)
{
	set->bits[byte >> 6] |= UINT64_C(1) << (byte & 63);
}

static bool set_has(const struct byte_set *set, unsigned int byte)
{
	return set->bits[byte >> 6] >> (byte & 63) & 1;
}

/* ASCII alone, whatever the locale: names are bytes. */
static bool is_in_class(unsigned int c, const char *name, size_t len)
{
	bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
	bool digit = c >= '0' && c <= '9', graph = c > 0x20 && c < 0x7f;
	bool alnum = lower || upper || digit;
	const struct {
		const char *name;
		bool is_in;
	} classes[] = {
		{"alnum", alnum},
		{"alpha", lower || upper},
		{"blank", c == ' ' || c == '\t'},
		{"cntrl", c < 0x20 || c == 0x7f},
		{"digit", digit},
		{"graph", graph},
		{"lower", lower},
		{"print", graph || c == ' '},
		{"punct", graph && !alnum},
		{"space", c == ' ' || (c >= '\t' && c <= '\r')},
		{"upper", upper},
		{"xdigit",
		 digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')},
	};

	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (strlen(classes[i].name) == len &&
		    memcmp(classes[i].name, name, len) == 0)
			return classes[i].is_in;
	return false;
}

static bool is_class_name(const char *name, size_t len)
{
	for (unsigned int c = 0; c < 128; c++)
		if (is_in_class(c, name, len))
			return true;
	return false;
}

/* "[:alpha:]" at @s: its length, 0 if this is no such thing, -1 if it has no
 * end. */
static int class_name_length(const char *s)
{
	const char *end;

	if (s[0] != '[' || s[1] != ':')
		return 0;
	end = strchr(s + 2, ']');
	if (end == NULL)
		return -1;
	if (end - s < 3 || end[-1] != ':')
		return 0;
	return (int)(end - s) + 1;
}

static int bad_pattern(const char *pattern, const char *why,
		       struct jb_error *err)
{
	return jb_error_set(err, JB_EINVAL, 0, "pattern '%s': %s", pattern,
			    why);
}

/* Add what a "[:name:]" of @len bytes at @s stands for. */
static bool add_named(struct byte_set *set, const char *s, int len)
{
	size_t name_len = (size_t)len - 4;

	if (!is_class_name(s + 2, name_len))
		return false;
	for (unsigned int c = 0; c < 256; c++)
		if (is_in_class(c, s + 2, name_len))
			set_add(set, c);
	return true;
}

/* Add @first to the byte at @s, which may be escaped; returns where it is, NULL
 * if there is none. */
static const char *add_range(struct byte_set *set, unsigned char first,
			     const char *s)
{
	s += *s == '\\';
	for (unsigned int c = first; c <= (unsigned char)*s; c++)
		set_add(set, c);
	return *s != '\0' ? s : NULL;
}

static void negate_set(struct byte_set *set)
{
	for (int i = 0; i < 4; i++)
		set->bits[i] = ~set->bits[i];
}

/* Read a class from the byte after its '['; returns the byte after its ']', or
 * NULL with *why set. Follows rsync to the letter: ']' first is itself, so is
 * '-' after a range or a name, a range may end in an escaped byte. */
static const char *read_set(const char *s, struct byte_set *set,
			    const char **why)
{
	bool negated = *s == '!' || *s == '^';
	unsigned char before = 0; /* 0: no range can begin with it */
	int len;

	*why = "the class '[' has no ']' at its end; escape it as '\\['";
	memset(set, 0, sizeof *set);
	s += negated;
	do {
		len = class_name_length(s);
		if (*s == '-' && before != 0 && s[1] != '\0' && s[1] != ']') {
			s = add_range(set, before, s + 1);
			before = 0;
		} else if (len > 0 && !add_named(set, s, len)) {
			*why = "no such class; write it like '[[:digit:]]'";
			return NULL;
		} else if (len > 0) {
			s += len - 1;
			before = 0;
		} else {
			s += *s == '\\';
			before = (unsigned char)*s;
			set_add(set, before);
		}
		if (s == NULL || *s == '\0' || len < 0)
			return NULL;
	} while (*++s != ']');
	if (negated)
		negate_set(set);
	set->bits['/' >> 6] &= ~(UINT64_C(1) << ('/' & 63));
	return s + 1;
}

static int compile_tokens(struct jb_wildcard *w, const char *pattern,
			  struct jb_error *err)
{
	const char *s = pattern, *why;

	while (*s != '\0') {
		struct token *t = &w->tokens[w->n_tokens++];

		switch (*s++) {
		case '?':
			t->kind = ANY_BUT_SLASH;
			break;
		case '*':
			t->kind = *s == '*' ? STARSTAR : STAR;
			s += strspn(s, "*");
			break;
		case '[':
			t->kind = CLASS;
			t->set = (uint16_t)w->n_sets;
			s = read_set(s, &w->sets[w->n_sets++], &why);
			if (s == NULL)
				return bad_pattern(pattern, why, err);
			break;
		case '\\':
			if (*s == '\0')
				return bad_pattern(pattern,
						   "nothing follows the last "
						   "'\\'; write '\\\\'",
						   err);
			s++;
			/* fall through */
		default:
			t->kind = LITERAL;
			t->byte = (uint8_t)s[-1];
		}
	}
	return JB_OK;
}

int jb_wildcard_compile(const char *pattern, struct jb_wildcard **ret,
			struct jb_error *err)
{
	struct jb_wildcard *w;
	size_t n_sets = 0, len = strlen(pattern);
	int rv;

	if (len == 0 || len > UINT16_MAX)
		return bad_pattern("...", len == 0 ? "empty" : "too long", err);
	for (size_t i = 0; i < len; i++)
		n_sets += pattern[i] == '[';
	w = calloc(1, sizeof *w);
	if (w == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "pattern '%s'", pattern);
	w->tokens = calloc(len + 1, sizeof *w->tokens);
	w->sets = calloc(n_sets + 1, sizeof *w->sets);
	if (w->tokens == NULL || w->sets == NULL) {
		rv = jb_error_set(err, JB_ENOMEM, 0, "pattern '%s'", pattern);
		goto fail;
	}
	rv = compile_tokens(w, pattern, err);
	if (rv != JB_OK)
		goto fail;
	*ret = w;
	return JB_OK;

fail:
	jb_wildcard_free(w);
	return rv;
}

void jb_wildcard_free(struct jb_wildcard *w)
{
	if (w == NULL)
		return;
	free(w->tokens);
	free(w->sets);
	free(w);
}

/* One match under way. */
struct matcher {
	const struct jb_wildcard_text *text;
	const struct byte_set *sets;
	const struct token *end; /* of the tokens */
	size_t len;		 /* with the slashes that are not in memory */
	size_t after_slashes;	 /* what follows the last slash */
};

static unsigned char byte_at(const struct matcher *m, size_t pos)
{
	pos -= m->text->slash_before;
	if (pos >= m->text->len) /* also (size_t)-1 */
		return '/';
	return (unsigned char)m->text->bytes[pos];
}

static bool is_one(const struct matcher *m, const struct token *t,
		   unsigned char byte)
{
	if (t->kind == LITERAL)
		return byte == t->byte;
	if (t->kind == ANY_BUT_SLASH)
		return byte != '/';
	return set_has(&m->sets[t->set], byte);
}

/* Where what follows the last slash of @text begins. */
static size_t find_last_component(const struct jb_wildcard_text *text)
{
	const char *slash;

	if (text->slash_after)
		return text->len + text->slash_before + 1;
	slash = memrchr(text->bytes, '/', text->len);
	if (slash == NULL)
		return text->slash_before;
	return (size_t)(slash - text->bytes) + 1 + text->slash_before;
}

static void start_matcher(struct matcher *m, const struct jb_wildcard *w,
			  const struct jb_wildcard_text *text)
{
	m->text = text;
	m->sets = w->sets;
	m->end = w->tokens + w->n_tokens;
	m->len = text->len + text->slash_before + text->slash_after;
	m->after_slashes = 0;
	if (w->n_tokens > 0 && m->end[-1].kind == STAR)
		m->after_slashes = find_last_component(text);
}

/* Most names are told by their last byte, before any search. */
static bool may_end(const struct matcher *m)
{
	const struct token *last = m->end - 1;

	if (last->kind == STAR || last->kind == STARSTAR)
		return true;
	return m->len > 0 && is_one(m, last, byte_at(m, m->len - 1));
}

static enum verdict match_from(const struct matcher *m, const struct token *t,
			       size_t pos);

/* What stands after the star @t is tried at each place from @pos on. */
static enum verdict match_star(const struct matcher *m, const struct token *t,
			       size_t pos)
{
	bool crosses = t->kind == STARSTAR;
	enum verdict v;

	if (t + 1 == m->end) {
		if (crosses || pos >= m->after_slashes)
			return MATCH;
		return MISMATCH_SLASH;
	}
	for (; pos < m->len; pos++) {
		v = is_one(m, t + 1, byte_at(m, pos))
			    ? match_from(m, t + 2, pos + 1)
			    : MISMATCH;
		if (v != MISMATCH && !(crosses && v == MISMATCH_SLASH))
			return v;
		if (!crosses && byte_at(m, pos) == '/')
			return MISMATCH_SLASH;
	}
	return MISMATCH_END;
}

static enum verdict match_from(const struct matcher *m, const struct token *t,
			       size_t pos)
{
	for (; t < m->end; t++, pos++) {
		if (t->kind == STAR || t->kind == STARSTAR)
			return match_star(m, t, pos);
		if (pos == m->len)
			return MISMATCH_END;
		if (!is_one(m, t, byte_at(m, pos)))
			return MISMATCH;
	}
	return pos == m->len ? MATCH : MISMATCH;
}

bool jb_wildcard_matches(const struct jb_wildcard *w,
			 const struct jb_wildcard_text *text)
{
	struct matcher m;

	start_matcher(&m, w, text);
	return may_end(&m) && match_from(&m, w->tokens, 0) == MATCH;
}

/* Where the text was too short it is from a later slash on, too. */
bool jb_wildcard_matches_tail(const struct jb_wildcard *w,
			      const struct jb_wildcard_text *text)
{
	struct matcher m;
	enum verdict v;

	start_matcher(&m, w, text);
	if (!may_end(&m))
		return false;
	v = match_from(&m, w->tokens, 0);
	for (size_t pos = 0; v != MATCH && v != MISMATCH_END && pos < m.len;
	     pos++)
		if (byte_at(&m, pos) == '/')
			v = match_from(&m, w->tokens, pos + 1);
	return v == MATCH;
}

bool jb_wildcard_reaches(const struct jb_wildcard *w, const char *dir,
			 size_t len)
{
	struct jb_wildcard_text plain = {.bytes = dir, .len = len};
	struct jb_wildcard_text slashed = plain;
	struct matcher m, m_slashed;

	slashed.slash_after = true;
	start_matcher(&m, w, &plain);
	start_matcher(&m_slashed, w, &slashed);
	m.after_slashes = find_last_component(&plain);
	for (size_t i = 0; i < w->n_tokens; i++) {
		const struct token *t = &w->tokens[i];

		m.end = t;
		m_slashed.end = t + 1;
		if (t->kind == LITERAL && t->byte == '/' &&
		    match_from(&m, w->tokens, 0) == MATCH)
			return true;
		if (t->kind == STARSTAR &&
		    match_from(&m_slashed, w->tokens, 0) == MATCH)
			return true;
	}
	return false;
}
