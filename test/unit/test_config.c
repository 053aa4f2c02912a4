/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration: what is written is what is read. */
#include "lib/t_config.h"

#include "engine/base/config_keys.h"
#include "engine/base/config_pass.h"
#include "engine/base/log.h"
#include "engine/base/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every kind of section, most of the keys. */
static const char whole[] =
	"[Journal]\nStateDirectory=/var/lib/x\nFlushInterval=1s\n"
	"Retain=30d\nMaxBacklog=1000\nMaxJournalSize=1G\n"
	"QueueLimit=64\nLogLevel=debug\n"
	"[Root nfs]\nPath=/srv//nfs/\nBackend=inotify\n"
	"Exclude=/lost+found/\nPatrol=off\n"
	"[Target sda]\nTransport=local\nPath=/mnt/backup\n"
	"RequireMount=yes\n"
	"[Target nas]\nTransport=rsync\nHost=backup@nas\n"
	"Path=/volume1/Backup/nfs\nSshCommand=ssh -p 22\n"
	"[Policy mirror]\nPlugin=mirror\nRoot=nfs\nTarget=sda\n"
	"Exclude=/immich/ /frigate/ /temp/\n"
	"[Policy immich]\nPlugin=bypass\nRoot=nfs\nTarget=nas\n"
	"Include=/immich/***\nUnder=photos\nEvery=15min\n"
	"[Policy monthly]\nPlugin=reconcile\n"
	"Policies=mirror immich\nMaxDelete=5%\n";

/* What is written is what is read. */
static void test_whole(void **state)
{
	const struct jb_config *c = t_config_load(*state, whole);

	assert_string_equal(c->state_dir, "/var/lib/x");
	assert_string_equal(c->runtime_dir, "/run/journalctl-backup");
	assert_int_equal(c->flush_us, 1000000);
	assert_int_equal(c->retain_us, UINT64_C(2592000000000));
	assert_int_equal(c->max_backlog, 1000);
	assert_int_equal(c->max_journal, 1 << 30);
	assert_int_equal(c->queue_events, 64);
	assert_int_equal(c->log_level, JB_LOG_DEBUG);
	assert_int_equal(c->n_roots, 1);
	assert_string_equal(jb_config_root(c, "nfs")->path, "/srv/nfs");
	assert_int_equal(c->roots[0].backend, JB_BACKEND_INOTIFY);
	assert_int_equal(c->roots[0].patrol_us, 0);
	assert_int_equal(c->roots[0].where.line, 10);
	assert_false(jb_patterns_takes(c->roots[0].patterns, "lost+found", 10,
				       true));
}

/* The sections of targets and policies answer by key. */
static void test_getters(void **state)
{
	const struct jb_config *c = t_config_load(*state, whole);
	const struct jb_config_section *p;
	struct jb_config_limit limit;
	struct jb_patterns *patterns;
	char **words, *dir;
	size_t n;

	assert_true(jb_config_bool(jb_config_target(c, "sda"), "RequireMount"));
	assert_false(
		jb_config_bool(jb_config_target(c, "nas"), "RequireMount"));
	p = jb_config_policy(c, "immich");
	assert_int_equal(jb_config_duration(p, "Every"), UINT64_C(900000000));
	assert_int_equal(jb_config_number(p, "Nice"), 10);
	assert_int_equal(jb_config_target_dir(c, p, &dir, NULL), JB_OK);
	assert_string_equal(dir, "/volume1/Backup/nfs/photos");
	free(dir);
	assert_int_equal(jb_config_patterns(p, &patterns, NULL), JB_OK);
	assert_true(jb_patterns_are_only(patterns));
	jb_patterns_free(patterns);
	p = jb_config_policy(c, "monthly");
	limit = jb_config_limit(p, "MaxDelete");
	assert_true(limit.is_percent && limit.value == 500);
	limit = jb_config_limit(p, "MaxReplace");
	assert_true(limit.is_off);
	assert_int_equal(jb_config_words(p, "Policies", &words, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_string_equal(words[1], "immich");
	jb_config_words_free(words, n);
	assert_null(jb_config_policy(c, "none"));
}

/* What nobody wrote is as documented. */
static void test_defaults(void **state)
{
	const struct jb_config *c = t_config_load(*state, ROOT);

	assert_string_equal(c->state_dir, "/var/lib/journalctl-backup");
	assert_string_equal(c->runtime_dir, "/run/journalctl-backup");
	assert_int_equal(c->flush_us, 200000);
	assert_int_equal(c->retain_us, UINT64_C(7776000000000));
	assert_int_equal(c->max_journal, 0);
	assert_int_equal(c->max_backlog, 0);
	assert_int_equal(c->queue_events, 0);
	assert_int_equal(c->log_level, JB_LOG_INFO);
	assert_int_equal(c->roots[0].backend, JB_BACKEND_AUTO);
	assert_int_equal(c->roots[0].patrol_us, UINT64_C(604800000000));
	assert_null(c->roots[0].patterns);
}

/* Lists add up, other keys are overwritten, nothing clears both. */
static void test_repeated(void **state)
{
	const struct jb_config *c = t_config_load(
		*state, "[Journal]\nRetain=1d\nRetain=2d\nLogLevel=debug\n"
			"LogLevel=\n" ROOT "Exclude=a\nExclude=\n"
			"Exclude=b \"c d\"\nInclude=e\n\tExclude = f \n"
			"Exclude=\"g\\\"h\\\\i\\*\"\n");
	static const char *const want[] = {"b", "c d", "e", "f",
					   "g\"h\\\\i\\*"};
	const char *pattern;
	bool include;

	assert_int_equal(c->retain_us, UINT64_C(172800000000));
	assert_int_equal(c->log_level, JB_LOG_INFO);
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		pattern = jb_patterns_at(c->roots[0].patterns, i, &include);
		assert_non_null(pattern);
		assert_string_equal(pattern, want[i]);
		assert_int_equal(include, i == 2);
	}
	assert_null(jb_patterns_at(c->roots[0].patterns, 5, &include));
}

/* Comments, blank lines, CR LF, a byte order mark, no newline at the end,
 * lines that are joined: the numbers stay right. */
static void test_lines(void **state)
{
	const struct jb_config *c = t_config_load(
		*state, "\xef\xbb\xbf# c\r\n; d=e\r\n\r\n  [Root nfs]  \r\n"
			"Exclude=a \\\r\n# between\r\n b\\\r\n\r\n"
			"Path=/srv/n;f #s");
	bool include;

	assert_string_equal(c->roots[0].path, "/srv/n;f #s");
	assert_int_equal(c->roots[0].where.line, 9);
	assert_string_equal(jb_patterns_at(c->roots[0].patterns, 1, &include),
			    "b");
}

/* A list of any length that a person would write. */
static void test_long_line(void **state)
{
	const struct jb_config *c;
	static char text[100000];
	bool include;
	size_t n;

	strcpy(text, ROOT "Exclude=");
	for (int i = 0; i < 5000; i++)
		sprintf(text + strlen(text), "/dir%04d/ ", i);
	c = t_config_load(*state, text);
	for (n = 0; jb_patterns_at(c->roots[0].patterns, n, &include); n++)
		;
	assert_int_equal(n, 5000);
	memset(text + strlen(text), 'x', 30000);
	t_config_refuse(*state, text, 3, "longer than");
}

/* conf.d is read after the file, in the order of the names; a file there is
 * named in what is said of it. */
static void test_conf_d(void **state)
{
	struct t_config *f = *state;
	char path[160];
	const struct jb_config *c;

	snprintf(path, sizeof path, "%s/conf.d", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/20.conf");
	t_config_write(path, "[Journal]\nRetain=2d\n", 20);
	snprintf(path, sizeof path, "%s/conf.d/10.conf", f->dir);
	t_config_write(path, "[Journal]\nRetain=1d\n[Root b]\nPath=/srv/b\n",
		       41);
	c = t_config_load(f, ROOT);
	assert_int_equal(c->retain_us, UINT64_C(172800000000));
	assert_int_equal(c->n_files, 3);
	assert_int_equal(c->n_roots, 2);
	t_config_write(path, "[Journal]\n\nRetian=1d\n", 21);
	assert_int_equal(t_config_load_bytes(f, ROOT, strlen(ROOT)),
			 JB_ECONFIG);
	assert_non_null(strstr(f->err.text, "/conf.d/10.conf:3: "));
	assert_non_null(strstr(f->err.text, "did you mean Retain=?"));
}

/* What is passed on is what was read, of all files, whatever became of them;
 * any number of readers; files and lines are the real ones. */
static void test_passed(void **state)
{
	struct t_config *f = *state;
	struct jb_config *c, *got;
	char path[160];
	int fd, other;

	snprintf(path, sizeof path, "%s/conf.d", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/10.conf");
	t_config_write(path, "[Root b]\nPath=/srv/b\n", 21);
	c = t_config_load(f, ROOT);
	assert_int_equal(jb_config_pass(c, &fd, &f->err), JB_OK);
	t_config_write(path, "[Half", 5);
	assert_int_equal(unlink(f->file), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(jb_config_load_passed(fd, &got, &f->err),
				 JB_OK);
		assert_string_equal(got->file, f->file);
		assert_int_equal(got->n_files, 2);
		assert_int_equal(got->n_roots, 2);
		assert_string_equal(got->roots[1].path, "/srv/b");
		assert_string_equal(got->roots[1].where.file, path);
		assert_int_equal(got->roots[1].where.line, 2);
		jb_config_free(got);
	}
	assert_int_equal(write(fd, "x", 1), -1);
	close(fd);
	other = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(jb_config_load_passed(other, &got, &f->err),
			 JB_EPROTO);
	close(other);
}

/* A file that is none. */
static void test_no_file(void **state)
{
	struct t_config *f = *state;
	struct jb_config *c;

	assert_int_equal(jb_config_load("/nonexistent/x.conf", &c, &f->err),
			 JB_ECONFIG);
	assert_non_null(strstr(f->err.text, "/nonexistent/x.conf: "));
	assert_non_null(strstr(f->err.text, "--config FILE"));
	assert_int_equal(jb_config_load(f->dir, &c, &f->err), JB_ECONFIG);
	assert_non_null(strstr(f->err.text, "is a directory"));
	assert_int_equal(jb_config_load("/dev/zero", &c, &f->err), JB_ECONFIG);
	assert_non_null(strstr(f->err.text, "/dev/zero:1: a NUL byte"));
	assert_int_equal(t_config_load_bytes(f, "[Root a]\nPa\0th=/x\n", 18),
			 JB_ECONFIG);
	assert_non_null(strstr(f->err.text, ":2: a NUL byte"));
}

/* The example that is installed parses, with and without its comments, and
 * tells of every key there is. */
static void test_example(void **state)
{
	struct t_config *f = *state;
	static char text[65536], open[65536];
	FILE *in = fopen(JB_EXAMPLE, "r");
	char key[64], *out = open;
	size_t n;

	assert_non_null(in);
	text[0] = '\n';
	n = fread(text + 1, 1, sizeof text - 2, in);
	fclose(in);
	text[n + 1] = '\0';
	for (size_t i = 0; i < jb_config_n_options; i++) {
		if (jb_config_options[i].is_reserved)
			continue;
		snprintf(key, sizeof key, "\n#%s=", jb_config_options[i].key);
		if (strstr(text, key) == NULL)
			fail_msg("%s= is not in the example",
				 jb_config_options[i].key);
	}
	/* "#Key=" and "#[Section" become real ones. */
	for (const char *s = text + 1; *s != '\0'; s++)
		if (*s != '#' || s[-1] != '\n' || s[1] == ' ' || s[1] == '\n')
			*out++ = *s;
	*out = '\0';
	t_config_load(f, open);
	assert_int_equal(f->config->n_roots, 1);
	assert_int_equal(f->config->n_targets, 1);
	assert_int_equal(f->config->n_policies, 1);
	assert_int_equal(f->config->flush_us, 200000);
	assert_int_equal(jb_config_check_available(f->config, NULL), JB_OK);
	t_config_refuse(f, text, 0, "no [Root NAME]");
}

/* Every default in the table is a value that the table would take. */
static void test_table(void **state)
{
	struct jb_error err;

	(void)state;
	for (size_t i = 0; i < jb_config_n_options; i++) {
		const struct jb_config_option *o = &jb_config_options[i];

		assert_ptr_equal(jb_config_option(o->section, o->key), o);
		assert_true(strlen(o->help) > 0);
		if (o->fallback != NULL &&
		    jb_config_check_value(o, o->fallback, &err) != JB_OK)
			fail_msg("%s: %s", o->key, err.text);
	}
}

int main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, t_config_init, t_config_fini)
	const struct CMUnitTest tests[] = {
		TEST(test_whole),
		TEST(test_getters),
		TEST(test_defaults),
		TEST(test_repeated),
		TEST(test_lines),
		TEST(test_long_line),
		TEST(test_conf_d),
		TEST(test_no_file),
		TEST(test_passed),
		TEST(test_example),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
