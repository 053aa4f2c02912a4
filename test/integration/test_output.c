/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `query` prints of a real journal is what the journal holds, for every
 * name that a file system allows. */
#include "lib/t_case.h"
#include "lib/t_ops.h"
#include "lib/t_round.h"

#include "journal/change.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT T_SPACE "/fs/r"

static void make_changes(struct t_round *r, struct t_world *w)
{
	struct t_ops_options o = {
		.root = ROOT, .threads = 2, .seed = w->seed, .links = true};
	struct t_ops ops;

	t_shell("mkdir " ROOT);
	t_round_open(r, w, ROOT);
	t_ops_init(&ops, &o);
	t_ops_round(&ops, 1500);
	t_round_check(r, &ops);
	t_ops_fini(&ops);
}

static int digit_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
				     "pqrstuvwxyz0123456789+/";
	const char *at = strchr(digits, c);

	return at != NULL && c != '\0' ? (int)(at - digits) : -1;
}

/* Bytes of @text; the caller frees them. */
static char *decode_base64(const char *text, size_t *len)
{
	char *bytes = calloc(1, strlen(text) + 1);
	unsigned held = 0, bits = 0;

	assert_non_null(bytes);
	for (*len = 0; digit_of(*text) >= 0; text++) {
		held = (held << 6) | (unsigned)digit_of(*text);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[(*len)++] = (char)(held >> bits & 0xff);
		}
	}
	return bytes;
}

/* The bytes of KEY, or of KEY_b64 where they are not UTF-8. */
static char *path_of(json_t *line, const char *key, size_t *len)
{
	json_t *plain = json_object_get(line, key);
	char name[32];

	if (plain != NULL) {
		*len = json_string_length(plain);
		return strdup(json_string_value(plain));
	}
	snprintf(name, sizeof name, "%s_b64", key);
	plain = json_object_get(line, name);
	if (plain == NULL)
		return NULL;
	return decode_base64(json_string_value(plain), len);
}

static bool same_bytes(sqlite3_stmt *row, int column, const char *bytes,
		       size_t len)
{
	int n = sqlite3_column_bytes(row, column);

	if (bytes == NULL)
		return n == 0;
	return (size_t)n == len &&
	       memcmp(sqlite3_column_blob(row, column), bytes, len) == 0;
}

static int64_t number_in(json_t *line, const char *key, int64_t otherwise)
{
	json_t *v = json_object_get(line, key);

	return v != NULL ? json_integer_value(v) : otherwise;
}

static bool same_row(sqlite3_stmt *row, json_t *line)
{
	size_t len = 0, old_len = 0;
	char *path = path_of(line, "path", &len);
	char *old = path_of(line, "old_path", &old_len);
	const char *source = sqlite3_column_int(row, 5) ? "scan" : "event";
	int what = sqlite3_column_int(row, 7);
	bool same;

	same = number_in(line, "seq", 0) == sqlite3_column_int64(row, 0) &&
	       strcmp(json_string_value(json_object_get(line, "kind")),
		      jb_kind_name(sqlite3_column_int(row, 1))) == 0 &&
	       same_bytes(row, 2, path, len) &&
	       same_bytes(row, 3, old, old_len) &&
	       number_in(line, "size", 0) == sqlite3_column_int64(row, 4) &&
	       strcmp(json_string_value(json_object_get(line, "source")),
		      source) == 0 &&
	       number_in(line, "inode", 0) == sqlite3_column_int64(row, 6) &&
	       json_is_true(json_object_get(line, "content")) == (what & 1) &&
	       json_is_true(json_object_get(line, "metadata")) ==
		       (what >> 1 & 1) &&
	       number_in(line, "entries", -1) == sqlite3_column_int64(row, 8);
	free(path);
	free(old);
	return same;
}

/* Every row is one object on one line, with the bytes of its path. */
static void json_is_the_journal(struct t_world *w)
{
	struct t_round r;
	struct t_output o;
	sqlite3_stmt *row;
	char *line, *rest;
	json_t *object;
	int n = 0;

	make_changes(&r, w);
	t_daemon_command(&w->daemon, &o, "query", "-o", "json", NULL);
	assert_int_equal(o.status, 0);
	row = t_judge_prepare(&r.judge,
			      "SELECT seq, kind, path, old_path, size, source,"
			      " ino, what, ifnull(entries, -1) FROM c"
			      " ORDER BY seq");
	for (line = strtok_r(o.out, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest), n++) {
		object = json_loads(line, 0, NULL);
		if (object == NULL)
			fail_msg("not JSON: %s", line);
		assert_int_equal(sqlite3_step(row), SQLITE_ROW);
		if (!same_row(row, object))
			fail_msg("row %lld is printed as: %s",
				 sqlite3_column_int64(row, 0), line);
		json_decref(object);
	}
	assert_int_equal(sqlite3_step(row), SQLITE_DONE);
	assert_true(n > 500);
	sqlite3_finalize(row);
	t_output_fini(&o);
	t_round_fini(&r);
}

/* paths0 gives back what xargs -0 can take. */
static void paths0_are_bytes(struct t_world *w)
{
	struct t_round r;
	struct t_output o;
	sqlite3_stmt *row;
	size_t at = 0;

	t_shell("mkdir " ROOT);
	t_round_open(&r, w, ROOT);
	t_shell("cd " ROOT " && touch \"$(printf 'n\\nl')\" \"$(printf"
		" '\\377')\" '#a' ' b ' && mkdir d && touch d/f");
	t_round_check(&r, NULL);
	t_daemon_command(&w->daemon, &o, "query", "--kind", "created", "-o",
			 "paths0", NULL);
	assert_int_equal(o.status, 0);
	row = t_judge_prepare(&r.judge, "SELECT path FROM c WHERE kind = 1"
					" ORDER BY seq");
	for (; at < o.out_len; at += strlen(o.out + at) + 1) {
		assert_int_equal(sqlite3_step(row), SQLITE_ROW);
		assert_true(same_bytes(row, 0, o.out + at, strlen(o.out + at)));
	}
	assert_int_equal(sqlite3_step(row), SQLITE_DONE);
	sqlite3_finalize(row);
	t_output_fini(&o);
	t_round_fini(&r);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool file_has(const char *path, const char *text)
{
	char line[256];
	FILE *f = fopen(path, "r");
	bool found = false;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		found = found || strstr(line, text) != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

/* Poll, but for its end: it should not end. Returns how long it took. */
static int64_t wait_for(pid_t pid, const char *log, const char *text)
{
	int64_t start = now_ms();

	while (!file_has(log, text)) {
		if (t_process_wait(pid, 1) >= 0)
			fail_msg("query -f ended");
		if (now_ms() - start > 20000)
			fail_msg("query -f does not show %s", text);
	}
	return now_ms() - start;
}

/* -f shows a change as soon as it is in the journal. */
static void follows(struct t_world *w)
{
	const char *argv[] = {t_daemon_program(),
			      "--config",
			      w->daemon.config,
			      "query",
			      "-f",
			      "-o",
			      "paths",
			      NULL};
	int64_t took, best = 20000;
	char log[160], text[32];
	struct t_round r;
	pid_t pid;
	int i;

	snprintf(log, sizeof log, "%s/follow", w->daemon.dir);
	t_shell("mkdir " ROOT " && touch " ROOT "/before");
	t_daemon_configure(&w->daemon, "FlushInterval=5ms\n");
	t_round_open(&r, w, ROOT);
	t_shell("touch " ROOT "/first");
	t_round_check(&r, NULL);
	pid = t_process_start(argv, log);
	wait_for(pid, log, "first");
	for (i = 0; i < 20; i++) {
		t_shell("touch " ROOT "/new%d", i);
		snprintf(text, sizeof text, "new%d", i);
		took = wait_for(pid, log, text);
		best = took < best ? took : best;
	}
	print_message("query -f: %d ms after the change, at best\n", (int)best);
	assert_true(best < 150);
	kill(pid, SIGTERM);
	assert_true(t_process_wait(pid, 10000) >= 0);
	t_round_fini(&r);
}

static const struct t_case cases[] = {
	T_CASE(json_is_the_journal, ext4, fanotify),
	T_CASE(json_is_the_journal, btrfs, fanotify),
	T_CASE(paths0_are_bytes, ext4, fanotify),
	T_CASE(follows, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("output", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
