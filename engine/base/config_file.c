/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/config_file.h"

#include "engine/base/config_keys.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_BYTES 65536

/* One file being read. */
struct reading {
	struct jb_config_sections *sections; /* borrowed */
	FILE *stream;			     /* borrowed */
	const char *file;		     /* borrowed; its name */
	char *line;			     /* owned; as it stands there */
	size_t line_size;
	int line_no, n_lines; /* where the joined line begins; lines read */
	size_t section;	      /* index + 1 of the current one, 0: none yet */
	int rv;
	struct jb_error *err; /* borrowed, may be NULL */
};

__attribute__((format(printf, 2, 3))) static int fail_line(struct reading *r,
							   const char *fmt, ...)
{
	char text[JB_ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	r->rv = jb_error_set(r->err, JB_ECONFIG, 0, "%s:%d: %s", r->file,
			     r->line_no, text);
	return r->rv;
}

static int fail_memory(struct reading *r)
{
	r->rv = jb_error_set(r->err, JB_ENOMEM, 0, "%s", r->file);
	return r->rv;
}

/* The length of the UTF-8 sequence at @s, 0 if there is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = *s < 0x80   ? 1
		   : *s < 0xc2 ? 0
		   : *s < 0xe0 ? 2
		   : *s < 0xf0 ? 3
		   : *s < 0xf5 ? 4
			       : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static int check_bytes(struct reading *r, const char *line, size_t len)
{
	const unsigned char *s = (const unsigned char *)line;
	size_t n;

	if (strlen(line) != len)
		return fail_line(r, "a NUL byte: this is no text file");
	for (; *s != '\0'; s += n) {
		n = utf8_length(s);
		if (n == 0)
			return fail_line(r,
					 "byte 0x%02x is not UTF-8; in a "
					 "pattern write '?' for it",
					 *s);
		if (*s < 0x20 && *s != '\t')
			return fail_line(r,
					 "control character 0x%02x; "
					 "remove it",
					 *s);
	}
	return JB_OK;
}

/* The next line of the file without its end, in r->line from @at on. Returns
 * its length, -1 at the end or on failure. */
static ssize_t read_physical(struct reading *r, char **part, size_t *part_size)
{
	ssize_t n;

	errno = 0;
	n = getline(part, part_size, r->stream);
	if (n < 0) {
		if (errno == ENOMEM)
			fail_memory(r);
		else if (ferror(r->stream))
			r->rv = jb_error_errno(r->err, errno, "%s", r->file);
		return -1;
	}
	r->n_lines++;
	while (n > 0 && ((*part)[n - 1] == '\n' || (*part)[n - 1] == '\r'))
		(*part)[--n] = '\0';
	return n;
}

static bool is_comment(const char *line)
{
	line += strspn(line, " \t");
	return *line == '#' || *line == ';';
}

static int grow_line(struct reading *r, size_t size)
{
	char *line;

	if (size <= r->line_size)
		return JB_OK;
	line = realloc(r->line, size * 2);
	if (line == NULL)
		return fail_memory(r);
	r->line = line;
	r->line_size = size * 2;
	return JB_OK;
}

/* A whole line into r->line: those that end in a backslash are joined. False at
 * the end and on failure. */
static bool read_logical(struct reading *r)
{
	char *part = NULL, *begin;
	size_t part_size = 0, len = 0;
	bool joined = false, is_read = false;
	ssize_t n;

	for (;;) {
		n = read_physical(r, &part, &part_size);
		if (n < 0)
			break;
		begin = part;
		if (r->n_lines == 1 && strncmp(begin, "\xef\xbb\xbf", 3) == 0) {
			begin += 3;
			n -= 3;
		}
		if (!joined)
			r->line_no = r->n_lines;
		else if (is_comment(begin))
			continue;
		is_read = true;
		if (check_bytes(r, begin, (size_t)n) != JB_OK ||
		    grow_line(r, len + (size_t)n + 1) != JB_OK)
			break;
		memcpy(r->line + len, begin, (size_t)n + 1);
		len += (size_t)n;
		joined = len > 0 && r->line[len - 1] == '\\' &&
			 !is_comment(r->line);
		if (!joined)
			break;
		r->line[len - 1] = ' ';
	}
	free(part);
	return is_read && r->rv == JB_OK;
}

static const char *find_kind(const char *text, size_t len)
{
	static const char *const kinds[] = {"Journal", "Root", "Target",
					    "Policy"};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strlen(kinds[i]) == len &&
		    strncmp(kinds[i], text, len) == 0)
			return kinds[i];
	return NULL;
}

static int enter_section(struct reading *r, const char *kind, const char *name)
{
	struct jb_config_sections *s = r->sections;
	struct jb_config_section *items;

	for (size_t i = 0; i < s->n; i++) {
		if (s->items[i].kind != kind ||
		    strcmp(s->items[i].name, name) != 0)
			continue;
		r->section = i + 1;
		return JB_OK;
	}
	items = reallocarray(s->items, s->n + 1, sizeof *items);
	if (items == NULL)
		return fail_memory(r);
	s->items = items;
	items[s->n] = (struct jb_config_section){
		.kind = kind,
		.name = strdup(name),
		.where = {.file = r->file, .line = r->line_no},
	};
	if (items[s->n].name == NULL)
		return fail_memory(r);
	r->section = ++s->n;
	return JB_OK;
}

/* "[Kind]" or "[Kind NAME]" */
static int read_header(struct reading *r, char *line)
{
	char *end = strchr(line, ']'), *name;
	const char *kind;
	size_t len;

	if (end == NULL || end[1 + strspn(end + 1, " \t")] != '\0')
		return fail_line(r,
				 "'%s' is no section; write it like "
				 "[Root data]",
				 line);
	*end = '\0';
	line += 1 + strspn(line + 1, " \t");
	len = strcspn(line, " \t");
	kind = find_kind(line, len);
	if (kind == NULL)
		return fail_line(r,
				 "unknown section [%s]; there are [Journal]"
				 ", [Root NAME], [Target NAME] and "
				 "[Policy NAME]",
				 line);
	name = line + len + strspn(line + len, " \t");
	for (len = strlen(name); len > 0 && strchr(" \t", name[len - 1]);)
		name[--len] = '\0';
	if (strcmp(kind, "Journal") == 0 && *name != '\0')
		return fail_line(r, "[Journal] has no name; write [Journal]");
	if (strcmp(kind, "Journal") != 0 && *name == '\0')
		return fail_line(r,
				 "[%s] needs a name; write it like "
				 "[%s data]",
				 kind, kind);
	if (*name != '\0' && !jb_config_is_name(name))
		return fail_line(r,
				 "[%s %s] can't be called so; up to 40 "
				 "letters, digits, '.', '_' and '-', the "
				 "first a letter or digit",
				 kind, name);
	return enter_section(r, kind, name);
}

/* What inih would take in silence. */
static int check_line(struct reading *r, size_t room)
{
	char *s = r->line + strspn(r->line, " \t"), *copy, *end;
	int rv;

	if (strlen(r->line) >= room)
		return fail_line(r,
				 "longer than %zu bytes; give the key "
				 "several times, its values add up",
				 room);
	if (*s == '\0' || is_comment(s))
		return JB_OK;
	if (*s == '[') {
		copy = strdup(s);
		if (copy == NULL)
			return fail_memory(r);
		rv = read_header(r, copy);
		free(copy);
		return rv;
	}
	end = strpbrk(s, "=:");
	if (end == NULL || *end == ':')
		return fail_line(r,
				 "'%.60s' is neither [Section] nor "
				 "Key=Value",
				 s);
	return JB_OK;
}

/* inih's reader: like fgets, but a whole line or nothing. */
static char *on_line(char *buf, int size, void *stream)
{
	struct reading *r = stream;
	size_t room = (size_t)size - 3;

	if (r->rv != JB_OK || !read_logical(r) || check_line(r, room) != JB_OK)
		return NULL;
	if (r->line[strspn(r->line, " \t")] == '[')
		return strcpy(buf, "\n"); /* entered already */
	strcpy(buf, r->line);
	return strcat(buf, "\n");
}

static void clear_key(struct jb_config_section *s, const char *key)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_keys; i++) {
		if (strcmp(s->keys[i].key, key) != 0) {
			s->keys[kept++] = s->keys[i];
			continue;
		}
		free(s->keys[i].key);
		free(s->keys[i].value);
	}
	s->n_keys = kept;
}

static int append_key(struct reading *r, struct jb_config_section *s,
		      const char *key, const char *value)
{
	struct jb_config_key *keys, *k;

	keys = reallocarray(s->keys, s->n_keys + 1, sizeof *keys);
	if (keys == NULL)
		return fail_memory(r);
	s->keys = keys;
	k = &keys[s->n_keys];
	k->key = strdup(key);
	k->value = strdup(value);
	k->where.file = r->file;
	k->where.line = r->line_no;
	if (k->key == NULL || k->value == NULL) {
		free(k->key);
		free(k->value);
		return fail_memory(r);
	}
	s->n_keys++;
	return JB_OK;
}

static int fail_key(struct reading *r, const struct jb_config_section *s,
		    const char *key)
{
	static const char *const kinds[] = {"Journal", "Root", "Target",
					    "Policy"};
	const char *similar = jb_config_similar_key(s->kind, key);

	if (*key == '\0')
		return fail_line(r, "a key is missing before '='");
	if (similar != NULL)
		return fail_line(r,
				 "unknown key '%s' in [%s]; did you mean "
				 "%s=?",
				 key, s->kind, similar);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (jb_config_option(kinds[i], key) != NULL)
			return fail_line(r,
					 "unknown key '%s' in [%s]; it "
					 "belongs to [%s]",
					 key, s->kind, kinds[i]);
	return fail_line(r,
			 "unknown key '%s' in [%s]; remove it, or see "
			 "`check-config --keys`",
			 key, s->kind);
}

/* inih's handler: 0 ends the reading. */
static int on_key(void *ctx, const char *section, const char *key,
		  const char *value)
{
	struct reading *r = ctx;
	struct jb_config_section *s;
	const struct jb_config_option *option;
	struct jb_error why = {0};

	(void)section; /* cut at 50 bytes by inih */
	if (r->section == 0)
		return fail_line(r,
				 "'%s' stands before any section; put "
				 "[Journal] or [Root NAME] above it",
				 key) == JB_OK;
	s = &r->sections->items[r->section - 1];
	option = jb_config_option(s->kind, key);
	if (option == NULL)
		return fail_key(r, s, key) == JB_OK;
	if (*value == '\0') {
		clear_key(s, key);
		return 1;
	}
	if (jb_config_check_value(option, value, &why) != JB_OK)
		return fail_line(r, "%s=: %s", key, why.text) == JB_OK;
	return append_key(r, s, key, value) == JB_OK;
}

int jb_config_sections_read_stream(struct jb_config_sections *s, FILE *stream,
				   const char *name, struct jb_error *err)
{
	struct reading r = {
		.sections = s,
		.stream = stream,
		.file = name,
		.err = err,
	};
	int rv;

	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_allow_no_value = false;
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_initial_alloc = LINE_BYTES + 3;
	ini_max_line = LINE_BYTES + 3;
	ini_stop_on_first_error = true;
	rv = ini_parse_stream(on_line, &r, on_key, &r);
	if (rv == -2)
		fail_memory(&r);
	else if (rv != 0 && r.rv == JB_OK)
		fail_line(&r, "neither [Section] nor Key=Value");
	free(r.line);
	return r.rv;
}

static int open_file(const char *path, FILE **ret, struct jb_error *err)
{
	struct stat st;
	FILE *stream = fopen(path, "re");

	if (stream == NULL && errno == ENOENT)
		return jb_error_set(err, JB_ECONFIG, ENOENT,
				    "%s: there is no such file; write one, or "
				    "name another with --config FILE",
				    path);
	if (stream == NULL)
		goto fail;
	if (fstat(fileno(stream), &st) < 0)
		goto fail;
	if (S_ISDIR(st.st_mode)) {
		fclose(stream);
		return jb_error_set(err, JB_ECONFIG, EISDIR,
				    "%s: is a directory; name the file in it",
				    path);
	}
	*ret = stream;
	return JB_OK;

fail:
	jb_error_errno(err, errno, "%s: can't be read", path);
	if (err != NULL)
		err->code = JB_ECONFIG;
	if (stream != NULL)
		fclose(stream);
	return JB_ECONFIG;
}

int jb_config_sections_read(struct jb_config_sections *s, const char *path,
			    const char *name, struct jb_error *err)
{
	FILE *stream = NULL;
	int rv;

	rv = open_file(path, &stream, err);
	if (rv != JB_OK)
		return rv;
	rv = jb_config_sections_read_stream(s, stream, name, err);
	fclose(stream);
	return rv;
}

void jb_config_section_fini(struct jb_config_section *s)
{
	for (size_t i = 0; i < s->n_keys; i++) {
		free(s->keys[i].key);
		free(s->keys[i].value);
	}
	free(s->keys);
	free(s->name);
	s->keys = NULL;
	s->name = NULL;
	s->n_keys = 0;
}

void jb_config_sections_fini(struct jb_config_sections *s)
{
	for (size_t i = 0; i < s->n; i++)
		jb_config_section_fini(&s->items[i]);
	free(s->items);
	s->items = NULL;
	s->n = 0;
}
