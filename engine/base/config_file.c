/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/config_file.h"

#include "engine/base/config_keys.h"
#include "engine/base/config_line.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST_ROOM	   (16 << 10)
#define JB_CONFIG_FILE_MAX (16 << 20)

/* One file being read. */
struct reading {
	struct jb_config_sections *sections; /* borrowed */
	struct jb_config_line line;
	size_t section; /* index + 1 of the current one, 0: none yet */
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
	r->rv = jb_error_set(r->err, JB_ECONFIG, 0, "%s:%d: %s", r->line.file,
			     r->line.number, text);
	return r->rv;
}

static int fail_memory(struct reading *r)
{
	r->rv = jb_error_set(r->err, JB_ENOMEM, 0, "%s", r->line.file);
	return r->rv;
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
		.where = {.file = r->line.file, .line = r->line.number},
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
static int check_line(struct reading *r)
{
	char *s = r->line.text + strspn(r->line.text, " \t"), *sign;

	if (*s == '\0' || jb_config_line_is_comment(s))
		return JB_OK;
	if (*s == '[')
		return read_header(r, s);
	sign = strpbrk(s, "=:");
	if (sign == NULL || *sign == ':')
		return fail_line(r,
				 "'%.60s' is neither [Section] nor "
				 "Key=Value",
				 s);
	return JB_OK;
}

/* inih's reader: like fgets, but a whole line or nothing. It never sees a
 * section's header, and sees no line that it might misread. */
static char *on_line(char *buf, int size, void *stream)
{
	struct reading *r = stream;
	bool end = false;

	if (r->rv == JB_OK)
		r->rv = jb_config_line_next(&r->line, &end, r->err);
	if (r->rv != JB_OK || end || check_line(r) != JB_OK)
		return NULL;
	if (r->line.text[strspn(r->line.text, " \t")] == '[')
		*r->line.text = '\0';
	snprintf(buf, (size_t)size, "%s\n", r->line.text);
	return buf;
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
	k->where.file = r->line.file;
	k->where.line = r->line.number;
	k->is_foreign = false;
	if (k->key == NULL || k->value == NULL) {
		free(k->key);
		free(k->value);
		return fail_memory(r);
	}
	s->n_keys++;
	return JB_OK;
}

/* A key that is not in the table. Only a policy's plugin may have its own, and
 * which one it is may stand further down. */
static int take_foreign_key(struct reading *r, struct jb_config_section *s,
			    const char *key, const char *value)
{
	char text[JB_ERROR_TEXT_MAX];
	int rv;

	if (*key == '\0')
		return fail_line(r, "a key is missing before '='");
	if (strcmp(s->kind, "Policy") != 0) {
		jb_config_explain_key(s->kind, key, text, sizeof text);
		return fail_line(r, "%s", text);
	}
	if (*value == '\0') {
		clear_key(s, key);
		return JB_OK;
	}
	rv = append_key(r, s, key, value);
	if (rv == JB_OK)
		s->keys[s->n_keys - 1].is_foreign = true;
	return rv;
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
		return take_foreign_key(r, s, key, value) == JB_OK;
	if (*value == '\0') {
		clear_key(s, key);
		return 1;
	}
	if (jb_config_check_value(option, value, &why) != JB_OK)
		return fail_line(r, "%s=: %s", key, why.text) == JB_OK;
	return append_key(r, s, key, value) == JB_OK;
}

static int read_stream(struct jb_config_sections *s, FILE *stream,
		       const char *name, struct jb_error *err)
{
	struct reading r = {
		.sections = s,
		.line = {.stream = stream, .file = name},
		.err = err,
	};
	int rv;

	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_allow_no_value = false;
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_initial_alloc = JB_CONFIG_LINE_MAX + 3;
	ini_max_line = JB_CONFIG_LINE_MAX + 3;
	ini_stop_on_first_error = true;
	rv = ini_parse_stream(on_line, &r, on_key, &r);
	if (rv == -2)
		fail_memory(&r);
	else if (rv != 0 && r.rv == JB_OK)
		fail_line(&r, "neither [Section] nor Key=Value");
	jb_config_line_fini(&r.line);
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

/* Up to the end or a NUL byte: whoever takes the lines apart says where. */
static int read_text(struct jb_config_file *f, FILE *stream,
		     struct jb_error *err)
{
	size_t room = 0, n;
	char *text;

	do {
		if (f->size == JB_CONFIG_FILE_MAX)
			return jb_error_set(err, JB_ECONFIG, 0,
					    "%s: larger than %d MB: this is no "
					    "configuration",
					    f->path, JB_CONFIG_FILE_MAX >> 20);
		if (f->size == room) {
			room = room == 0 ? FIRST_ROOM : room * 2;
			text = realloc(f->text, room);
			if (text == NULL)
				return jb_error_set(err, JB_ENOMEM, 0, "%s",
						    f->path);
			f->text = text;
		}
		errno = 0;
		n = fread(f->text + f->size, 1, room - f->size, stream);
		f->size += n;
	} while (n > 0 && memchr(f->text + f->size - n, '\0', n) == NULL);
	if (!ferror(stream))
		return JB_OK;
	jb_error_errno(err, errno, "%s: can't be read", f->path);
	return JB_EIO;
}

int jb_config_file_read(struct jb_config_file *f, struct jb_error *err)
{
	FILE *stream = NULL;
	int rv = open_file(f->path, &stream, err);

	if (rv != JB_OK)
		return rv;
	rv = read_text(f, stream, err);
	fclose(stream);
	return rv;
}

int jb_config_file_set(struct jb_config_file *f, const char *text, size_t size,
		       struct jb_error *err)
{
	f->text = malloc(size + 1);
	if (f->text == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "%s", f->path);
	memcpy(f->text, text, size);
	f->size = size;
	return JB_OK;
}

int jb_config_sections_read(struct jb_config_sections *s,
			    const struct jb_config_file *f,
			    struct jb_error *err)
{
	FILE *stream = f->size == 0 ? NULL : fmemopen(f->text, f->size, "r");
	int rv;

	if (f->size == 0)
		return JB_OK;
	if (stream == NULL)
		return jb_error_errno(err, errno, "%s", f->path);
	rv = read_stream(s, stream, f->path, err);
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
