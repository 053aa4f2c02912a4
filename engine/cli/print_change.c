/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/print_change.h"

#include "engine/base/size.h"
#include "engine/cli/output.h"

#include <string.h>
#include <sys/stat.h>

#define DIM   "\x1b[2m"
#define PLAIN "\x1b[0m"

static const char *const kind_colours[] = {
	[JB_KIND_CREATED] = "\x1b[32m", [JB_KIND_MODIFIED] = "\x1b[33m",
	[JB_KIND_ATTRIB] = "\x1b[36m",	[JB_KIND_RENAMED] = "\x1b[34m",
	[JB_KIND_DELETED] = "\x1b[31m",
};

static const char *name_kind(const struct jb_query_row *row)
{
	const char *name = jb_kind_name(row->kind);

	return name != NULL ? name : "unknown";
}

/* ---- short ---- */

static void put_place(const struct jb_print *p, const char *root,
		      const char *path, size_t len, bool is_dir)
{
	if (p->with_roots) {
		jb_out_text(p->f, root, strlen(root));
		putc_unlocked(':', p->f);
	}
	jb_out_text(p->f, path, len);
	if (is_dir)
		putc_unlocked('/', p->f);
}

/* "(symlink, 4K, by scan)": separators as they are needed. */
static void put_detail(FILE *f, int *n, const char *text)
{
	fprintf(f, "%s%s", (*n)++ == 0 ? "  (" : ", ", text);
}

static void put_details(const struct jb_print *p,
			const struct jb_query_row *row)
{
	char size[JB_SIZE_TEXT_MAX], count[JB_OUT_COUNT_MAX], text[80];
	int n = 0;

	if (p->colour)
		fputs(DIM, p->f);
	if (!S_ISREG(row->mode) && !S_ISDIR(row->mode))
		put_detail(p->f, &n, jb_type_name(row->mode));
	if (row->kind == JB_KIND_RENAMED && (row->what & JB_WHAT_CONTENT) != 0)
		put_detail(p->f, &n, "modified too");
	if (row->entries >= 0) {
		snprintf(text, sizeof text, "%s %s",
			 jb_out_count(row->entries, count),
			 row->entries == 1 ? "entry" : "entries");
		put_detail(p->f, &n, text);
	}
	if (row->bytes >= 0 || S_ISREG(row->mode))
		put_detail(p->f, &n,
			   jb_size_format((uint64_t)(row->bytes >= 0
							     ? row->bytes
							     : row->size),
					  size, sizeof size));
	if (row->source == JB_SOURCE_SCAN)
		put_detail(p->f, &n, "by scan");
	fputs(n > 0 ? ")" : "", p->f);
	if (p->colour)
		fputs(PLAIN, p->f);
}

static void print_short(const struct jb_print *p,
			const struct jb_query_row *row)
{
	bool is_dir = S_ISDIR(row->mode);

	if (p->colour)
		fputs(DIM, p->f);
	jb_out_time(p->f, row->time_us);
	if (p->colour)
		fprintf(p->f, PLAIN "%s",
			jb_kind_name(row->kind) != NULL
				? kind_colours[row->kind]
				: "");
	fprintf(p->f, " %-8s ", name_kind(row));
	if (p->colour)
		fputs(PLAIN, p->f);
	if (row->old_path != NULL) {
		put_place(p, row->old_root, row->old_path, row->old_path_len,
			  is_dir);
		fputs(" -> ", p->f);
	}
	put_place(p, row->root, row->path, row->path_len, is_dir);
	put_details(p, row);
	putc_unlocked('\n', p->f);
}

/* ---- json ---- */

static const char *boolean(bool b)
{
	return b ? "true" : "false";
}

static void put_json_paths(FILE *f, const struct jb_query_row *row)
{
	jb_out_json_path(f, "path", row->path, row->path_len);
	if (row->old_path == NULL)
		return;
	jb_out_json_path(f, "old_path", row->old_path, row->old_path_len);
	if (strcmp(row->old_root, row->root) != 0) {
		jb_out_put(f, ",\"old_root\":");
		jb_out_json_string(f, row->old_root, strlen(row->old_root));
	}
}

static void put_json_int(FILE *f, const char *key, int64_t n)
{
	jb_out_put(f, key);
	jb_out_int(f, n);
}

static void put_json_what(FILE *f, unsigned what)
{
	jb_out_put(f, ",\"content\":");
	jb_out_put(f, boolean(what & JB_WHAT_CONTENT));
	jb_out_put(f, ",\"metadata\":");
	jb_out_put(f, boolean(what & JB_WHAT_METADATA));
	jb_out_put(f, ",\"place\":");
	jb_out_put(f, boolean(what & JB_WHAT_PLACE));
}

static void print_json(const struct jb_print *p, const struct jb_query_row *row)
{
	FILE *f = p->f;

	put_json_int(f, "{\"seq\":", row->seq);
	jb_out_put(f, ",\"time\":");
	jb_out_json_time_us(f, row->time_us);
	jb_out_put(f, ",\"root\":");
	jb_out_json_string(f, row->root, strlen(row->root));
	jb_out_put(f, ",\"kind\":\"");
	jb_out_put(f, name_kind(row));
	jb_out_put(f, "\"");
	put_json_paths(f, row);
	jb_out_put(f, ",\"type\":\"");
	jb_out_put(f, jb_type_name(row->mode));
	put_json_int(f, "\",\"size\":", row->size);
	jb_out_put(f, ",\"mtime\":");
	jb_out_json_time_ns(f, row->mtime_ns);
	put_json_int(f, ",\"inode\":", (int64_t)row->id.ino);
	if (row->id.birth > 0) {
		jb_out_put(f, ",\"birth\":");
		jb_out_json_time_ns(f, row->id.birth);
	}
	jb_out_put(f, row->source == JB_SOURCE_SCAN ? ",\"source\":\"scan\""
						    : ",\"source\":\"event\"");
	put_json_what(f, row->what);
	if (row->entries >= 0)
		put_json_int(f, ",\"entries\":", row->entries);
	if (row->bytes >= 0)
		put_json_int(f, ",\"bytes\":", row->bytes);
	jb_out_put(f, "}\n");
}

/* ---- lists ---- */

static void print_paths(const struct jb_print *p,
			const struct jb_query_row *row)
{
	fwrite_unlocked(row->path, 1, row->path_len, p->f);
	putc_unlocked('\n', p->f);
}

static void print_paths0(const struct jb_print *p,
			 const struct jb_query_row *row)
{
	fwrite_unlocked(row->path, 1, row->path_len, p->f);
	putc_unlocked('\0', p->f);
}

static const struct jb_format formats[] = {
	{"short", JB_FORMAT_TEXT, print_short},
	{"json", JB_FORMAT_JSON, print_json},
	{"paths", JB_FORMAT_LIST, print_paths},
	{"paths0", JB_FORMAT_LIST, print_paths0},
};

const struct jb_format *jb_format_find(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}
