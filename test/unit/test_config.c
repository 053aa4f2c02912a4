/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration: what it says, and what is said of a bad one. */
#include "engine/base/config.h"
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
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	char dir[64];
	char file[128];
	struct jb_config *config; /* of the last load that worked */
	struct jb_error err;	  /* of the last load */
};

static int on_entry(const char *path, const struct stat *st, int flag,
		    struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int init(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	if (f == NULL)
		return -1;
	strcpy(f->dir, "/var/tmp/jb-config-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->file, sizeof f->file, "%s/jb.conf", f->dir);
	*state = f;
	return 0;
}

static int fini(void **state)
{
	struct fixture *f = *state;

	jb_config_free(f->config);
	nftw(f->dir, on_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static void write_bytes(const char *file, const char *text, size_t len)
{
	FILE *out = fopen(file, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static int load_bytes(struct fixture *f, const char *text, size_t len)
{
	struct jb_config *config;
	int rv;

	write_bytes(f->file, text, len);
	f->err = (struct jb_error){0};
	rv = jb_config_load(f->file, &config, &f->err);
	if (rv == JB_OK) {
		jb_config_free(f->config);
		f->config = config;
	}
	return rv;
}

static struct jb_config *load(struct fixture *f, const char *text)
{
	if (load_bytes(f, text, strlen(text)) != JB_OK)
		fail_msg("%s", f->err.text);
	return f->config;
}

/* @text is refused, the message begins with the file and @line and has @word
 * in it. */
static void refuse(struct fixture *f, const char *text, int line,
		   const char *word)
{
	char begin[160];

	assert_int_equal(load_bytes(f, text, strlen(text)), JB_ECONFIG);
	if (line > 0)
		snprintf(begin, sizeof begin, "%s:%d: ", f->file, line);
	else
		snprintf(begin, sizeof begin, "%s: ", f->file);
	if (strncmp(f->err.text, begin, strlen(begin)) != 0 ||
	    strstr(f->err.text, word) == NULL)
		fail_msg("not %s... %s...: %s", begin, word, f->err.text);
}

#define ROOT "[Root nfs]\nPath=/srv/nfs\n"

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
	const struct jb_config *c = load(*state, whole);

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
	const struct jb_config *c = load(*state, whole);
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
	const struct jb_config *c = load(*state, ROOT);

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
	const struct jb_config *c =
		load(*state, "[Journal]\nRetain=1d\nRetain=2d\nLogLevel=debug\n"
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
	const struct jb_config *c =
		load(*state,
		     "\xef\xbb\xbf# c\r\n; d=e\r\n\r\n  [Root nfs]  \r\n"
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
	c = load(*state, text);
	for (n = 0; jb_patterns_at(c->roots[0].patterns, n, &include); n++)
		;
	assert_int_equal(n, 5000);
	memset(text + strlen(text), 'x', 30000);
	refuse(*state, text, 3, "longer than");
}

/* conf.d is read after the file, in the order of the names; a file there is
 * named in what is said of it. */
static void test_conf_d(void **state)
{
	struct fixture *f = *state;
	char path[160];
	const struct jb_config *c;

	snprintf(path, sizeof path, "%s/conf.d", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/20.conf");
	write_bytes(path, "[Journal]\nRetain=2d\n", 20);
	snprintf(path, sizeof path, "%s/conf.d/10.conf", f->dir);
	write_bytes(path, "[Journal]\nRetain=1d\n[Root b]\nPath=/srv/b\n", 41);
	c = load(f, ROOT);
	assert_int_equal(c->retain_us, UINT64_C(172800000000));
	assert_int_equal(c->n_files, 3);
	assert_int_equal(c->n_roots, 2);
	write_bytes(path, "[Journal]\n\nRetian=1d\n", 21);
	assert_int_equal(load_bytes(f, ROOT, strlen(ROOT)), JB_ECONFIG);
	assert_non_null(strstr(f->err.text, "/conf.d/10.conf:3: "));
	assert_non_null(strstr(f->err.text, "did you mean Retain=?"));
}

/* What is passed on is what was read, of all files, whatever became of them;
 * any number of readers; files and lines are the real ones. */
static void test_passed(void **state)
{
	struct fixture *f = *state;
	struct jb_config *c, *got;
	char path[160];
	int fd, other;

	snprintf(path, sizeof path, "%s/conf.d", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/10.conf");
	write_bytes(path, "[Root b]\nPath=/srv/b\n", 21);
	c = load(f, ROOT);
	assert_int_equal(jb_config_pass(c, &fd, &f->err), JB_OK);
	write_bytes(path, "[Half", 5);
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

/* Each mistake: where it is, what it is. */
static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int line;
		const char *word;
	} bad[] = {
		{"", 0, "no [Root NAME]"},
		{"Path=/x\n", 1, "before any section"},
		{"[Rot x]\n", 1, "unknown section [Rot x]"},
		{"[Root]\n", 1, "needs a name"},
		{"[Root a b]\n", 1, "can't be called"},
		{"[Root a/b]\n", 1, "can't be called"},
		{"[Root ..]\n", 1, "can't be called"},
		{"[Root \xc3\xa4]\n", 1, "can't be called"},
		{"[Journal x]\n", 1, "no name"},
		{"[Root nfs\nPath=/x\n", 1, "no section"},
		{"[Root nfs] Path=/x\n", 1, "no section"},
		{ROOT "junk\n", 3, "neither"},
		{ROOT "Backend: auto\n", 3, "neither"},
		{ROOT "=x\n", 3, "key is missing"},
		{ROOT "Bakend=auto\n", 3, "did you mean Backend=?"},
		{ROOT "Retain=1d\n", 3, "belongs to [Journal]"},
		{ROOT "Nonsense=1\n", 3, "unknown key 'Nonsense'"},
		{ROOT "path=/x\n", 3, "did you mean Path=?"},
		{ROOT "Backend=magic\n", 3, "auto fanotify inotify"},
		{ROOT "Patrol=sometimes\n", 3, "7d"},
		{ROOT "Exclude=[abc\n", 3, "[abc"},
		{ROOT "Exclude=\"a b\n", 3, "partner"},
		{ROOT "Exclude=\"a\"b\n", 3, "blank must follow"},
		{ROOT "Exclude=--exclude=/x\n", 3, "pattern alone"},
		{ROOT "Exclude=caf\xe9\n", 3, "0xe9 is not UTF-8"},
		{ROOT "Exclude=a\x01\n", 3, "control character"},
		{"[Root nfs]\nPath=srv\n", 2, "absolute"},
		{"[Root nfs]\nPath=/srv/../etc\n", 2, "'..'"},
		{"[Root nfs]\nBackend=auto\n", 1, "no Path="},
		{"[Root nfs]\nPath=/x\nPath=\n", 1, "no Path="},
		{ROOT "[Root b]\nPath=/srv/nfs/\n", 4, "same Path="},
		{ROOT "[Journal]\nStateDirectory=/srv\n", 2, "StateDirectory"},
		{ROOT "[Journal]\nFlushInterval=0\n", 4, "1ms to 1min"},
		{ROOT "[Journal]\nRetain=90 dais\n", 4, "dais"},
		{ROOT "[Journal]\nMaxJournalSize=1MB\n", 4, "64M"},
		{ROOT "[Journal]\nMaxBacklog=-1\n", 4, "no number"},
		{ROOT "[Journal]\nQueueLimit=3\n", 4, "16"},
		{ROOT "[Journal]\nLogLevel=loud\n", 4, "error warning"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		refuse(*state, bad[i].text, bad[i].line, bad[i].word);
}

#define SDA    "[Target sda]\nTransport=local\nPath=/mnt/backup\n"
#define MIRROR "[Policy m]\nPlugin=mirror\nRoot=nfs\nTarget=sda\n"

/* "infinity": no limit, as long as can be, or nonsense; and "off". */
static void test_infinity(void **state)
{
	const struct jb_config *c;

	c = load(*state,
		 ROOT SDA MIRROR "KeepDeleted=infinity\nMaxDelete=infinity\n");
	assert_int_equal(jb_config_duration(jb_config_policy(c, "m"),
					    "KeepDeleted"),
			 INT64_MAX);
	assert_true(
		jb_config_limit(jb_config_policy(c, "m"), "MaxDelete").is_off);
	c = load(*state,
		 ROOT "Patrol=infinity\nRescanInterval=off\n[Journal]\n"
		      "Retain=infinity\nMaxJournalSize=infinity\n"
		      "MaxBacklog=infinity\n" SDA MIRROR "KeepDeleted=off\n");
	assert_int_equal(c->roots[0].patrol_us, 0);
	assert_int_equal(c->roots[0].rescan_us, 0);
	assert_int_equal(c->retain_us, 0);
	assert_int_equal(c->max_journal, 0);
	assert_int_equal(c->max_backlog, 0);
	assert_int_equal(
		jb_config_duration(jb_config_policy(c, "m"), "KeepDeleted"), 0);
	refuse(*state, ROOT SDA MIRROR "Settle=infinity\n", 10,
	       "would keep all from being copied; write it like 5min, or off");
	refuse(*state, ROOT SDA MIRROR "MinInterval=infinity\n", 10,
	       "would keep all from being copied");
	refuse(*state, ROOT SDA "MinFree=infinity\n" MIRROR, 6,
	       "would keep all from being copied; write it like 10G, or off");
	refuse(*state, ROOT SDA MIRROR "PluginTimeout=infinity\n", 10,
	       "out of range");
	refuse(*state, ROOT SDA MIRROR "DeleteWindow=infinity\n", 10,
	       "out of range");
}

/* Targets and policies that do not fit together. */
static void test_policies_refused(void **state)
{
	static const struct {
		const char *text;
		int line;
		const char *word;
	} bad[] = {
		{ROOT "[Target t]\nPath=/x\n", 3, "no Transport="},
		{ROOT "[Target t]\nTransport=local\n", 3, "no Path="},
		{ROOT "[Target t]\nTransport=local\nPath=x\n", 5, "absolute"},
		{ROOT SDA "Host=x\n", 6, "Host="},
		{ROOT SDA "[Policy m]\nRoot=nfs\n", 6, "no Plugin="},
		{ROOT SDA "[Policy m]\nPlugin=mirror\nTarget=sda\n", 6,
		 "no Root="},
		{ROOT SDA "[Policy m]\nPlugin=mirror\nRoot=nfs\n", 6,
		 "no Target="},
		{ROOT SDA "[Policy m]\nPlugin=mirror\nRoot=x\nTarget=sda\n", 8,
		 "no [Root x]"},
		{ROOT MIRROR, 6, "no [Target sda]"},
		{ROOT SDA "[Policy r]\nPlugin=reconcile\n", 6, "no Policies="},
		{ROOT SDA MIRROR "[Policy r]\nPlugin=reconcile\n"
				 "Policies=m q\n",
		 12, "no [Policy q]"},
		{ROOT SDA MIRROR "Under=/abs\n", 10, "absolute"},
		{ROOT SDA MIRROR "Under=a/../b\n", 10, "stay below"},
		{ROOT SDA MIRROR "MaxDelete=150%\n", 10, "5%"},
		{ROOT SDA MIRROR "MaxDelete=many\n", 10, "no limit"},
		{ROOT SDA MIRROR "Nice=99\n", 10, "-20 to 19"},
		{ROOT SDA MIRROR "Preserve=mode taste\n", 10, "taste"},
		{ROOT SDA MIRROR "NotBefore=later\n", 10, "later"},
		{ROOT SDA MIRROR "[Root b]\nPath=/srv/b\n[Policy n]\n"
				 "Plugin=mirror\nRoot=b\nTarget=sda\n"
				 "Under=x\n",
		 16, "Under="},
		{ROOT "[Target t]\nTransport=local\nPath=/srv/nfs/copy\n"
		      "[Policy m]\nPlugin=mirror\nRoot=nfs\nTarget=t\n",
		 9, "inside its own [Root nfs]"},
		{ROOT "[Target t]\nTransport=local\nPath=/srv\n"
		      "[Policy m]\nPlugin=mirror\nRoot=nfs\nTarget=t\n",
		 9, "holds its own [Root nfs]"},
		{ROOT "[Root b]\nPath=/mnt/b\n"
		      "[Target t]\nTransport=local\nPath=/mnt/b/x\n"
		      "[Target u]\nTransport=local\nPath=/srv/nfs/y\n"
		      "[Policy m]\nPlugin=mirror\nRoot=nfs\nTarget=t\n"
		      "[Policy n]\nPlugin=mirror\nRoot=b\nTarget=u\n",
		 14, "ring"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		refuse(*state, bad[i].text, bad[i].line, bad[i].word);
}

/* A disk that must be mounted below a root is not of that root. */
static void test_target_below_root(void **state)
{
	load(*state, "[Root system]\nPath=/\n" SDA "RequireMount=yes\n"
		     "[Policy m]\nPlugin=mirror\nRoot=system\nTarget=sda\n");
	refuse(*state,
	       "[Root system]\nPath=/\n" SDA
	       "[Policy m]\nPlugin=mirror\nRoot=system\nTarget=sda\n",
	       9, "RequireMount=yes if");
	refuse(*state,
	       "[Root b]\nPath=/mnt/backup\n" SDA "RequireMount=yes\n"
	       "[Policy m]\nPlugin=mirror\nRoot=b\nTarget=sda\n",
	       10, "inside its own");
}

/* A chain is no ring: nfs -> sda -> nas. */
static void test_chain(void **state)
{
	load(*state, ROOT "[Root sda]\nPath=/mnt/backup\n" SDA
			  "[Target nas]\nTransport=rsync\nHost=nas\n"
			  "Path=/srv/nfs\n" MIRROR
			  "[Policy n]\nPlugin=bypass\nRoot=sda\nTarget=nas\n");
}

/* A file that is none. */
static void test_no_file(void **state)
{
	struct fixture *f = *state;
	struct jb_config *c;

	assert_int_equal(jb_config_load("/nonexistent/x.conf", &c, &f->err),
			 JB_ECONFIG);
	assert_non_null(strstr(f->err.text, "/nonexistent/x.conf: "));
	assert_non_null(strstr(f->err.text, "--config FILE"));
	assert_int_equal(jb_config_load(f->dir, &c, &f->err), JB_ECONFIG);
	assert_non_null(strstr(f->err.text, "is a directory"));
	assert_int_equal(jb_config_load("/dev/zero", &c, &f->err), JB_ECONFIG);
	assert_non_null(strstr(f->err.text, "/dev/zero:1: a NUL byte"));
	assert_int_equal(load_bytes(f, "[Root a]\nPa\0th=/x\n", 18),
			 JB_ECONFIG);
	assert_non_null(strstr(f->err.text, ":2: a NUL byte"));
}

/* The daemon's rights may not be enough to read it. */
static void test_unreadable(void **state)
{
	struct fixture *f = *state;
	struct jb_config *c;

	if (geteuid() != 0) {
		print_message("only root can give up its rights\n");
		skip();
	}
	write_bytes(f->file, ROOT, strlen(ROOT));
	assert_int_equal(chmod(f->file, 0), 0);
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(jb_config_load(f->file, &c, &f->err), JB_ECONFIG);
	assert_int_equal(seteuid(0), 0);
	assert_non_null(strstr(f->err.text, "Permission denied"));
}

static void refuse_paths(struct fixture *f, const char *a, const char *b,
			 const char *state_dir, const char *word)
{
	char text[1024];

	snprintf(text, sizeof text,
		 "[Journal]\nStateDirectory=%s/%s\nRuntimeDirectory=%s/run\n"
		 "[Root a]\nPath=%s/%s\n[Root b]\nPath=%s/%s\n",
		 f->dir, state_dir, f->dir, f->dir, a, f->dir, b);
	load(f, text);
	if (word == NULL) {
		if (jb_config_check_paths(f->config, JB_CONFIG_ABSENT_IS_WRONG,
					  &f->err) != JB_OK)
			fail_msg("%s", f->err.text);
		return;
	}
	assert_int_equal(jb_config_check_paths(
				 f->config, JB_CONFIG_ABSENT_IS_WRONG, &f->err),
			 JB_ECONFIG);
	if (strstr(f->err.text, word) == NULL)
		fail_msg("not '%s': %s", word, f->err.text);
}

/* What only the file system knows. */
static void test_paths(void **state)
{
	struct fixture *f = *state;
	static const char *const dirs[] = {"one", "one/sub", "two", "mine"};
	char path[160], to[160];

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	snprintf(path, sizeof path, "%s/file", f->dir);
	write_bytes(path, "x", 1);
	snprintf(to, sizeof to, "%s/link", f->dir);
	assert_int_equal(symlink("one", to), 0);
	snprintf(to, sizeof to, "%s/deep", f->dir);
	assert_int_equal(symlink("one/sub", to), 0);

	refuse_paths(f, "one", "two", "state", NULL);
	refuse_paths(f, "one", "two", "mine/x/y", NULL);
	refuse_paths(f, "one", "missing", "state", "no such directory");
	refuse_paths(f, "one", "file/x", "state", "no directory");
	refuse_paths(f, "one", "file", "state", "not a directory");
	refuse_paths(f, "one", "link", "state", "same directory as [Root a]");
	refuse_paths(f, "one", "one/sub", "state", "inside [Root a]");
	refuse_paths(f, "one/sub", "one", "state", "inside [Root b]");
	refuse_paths(f, "one", "deep", "state", "inside [Root a]");
	refuse_paths(f, "deep", "one", "state", "[Root a]");
	refuse_paths(f, "one", "two", "file", "not a directory");
	refuse_paths(f, "one", "two", "file/x", "StateDirectory=");
}

/* Mounts: a bind mount of a part of a root is that part; another file system
 * below a root is none of it. In a namespace of our own, by a child. */
static void check_mounts(struct fixture *f)
{
	char a[160], b[160], c[160];

	snprintf(a, sizeof a, "%s/one/sub", f->dir);
	snprintf(b, sizeof b, "%s/two x", f->dir);
	snprintf(c, sizeof c, "%s/one/disk", f->dir);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount(a, b, NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount("none", c, "tmpfs", 0, NULL), 0);
	refuse_paths(f, "one", "two x", "state", "inside [Root a]");
	refuse_paths(f, "two x/deeper", "one", "state", "inside [Root b]");
	refuse_paths(f, "one/sub", "two x", "state", "same directory");
	refuse_paths(f, "one", "one/disk", "state", NULL);
	refuse_paths(f, "one/disk", "one", "state", NULL);
}

static void test_mounts(void **state)
{
	static const char *const dirs[] = {"one", "one/sub", "one/sub/deeper",
					   "one/disk", "two x"};
	struct fixture *f = *state;
	char path[160];
	int status;
	pid_t pid;

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) != 0)
			_exit(77);
		check_mounts(f); /* a failure is the child's exit code */
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("no right to mount\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* Without the right to read a root there is nothing to watch. */
static void test_paths_rights(void **state)
{
	struct fixture *f = *state;
	char path[160];

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(f->dir, 0755), 0);
	snprintf(path, sizeof path, "%s/secret", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/two", f->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	refuse_paths(f, "two", "secret", "state", NULL);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(jb_config_check_paths(
				 f->config, JB_CONFIG_ABSENT_IS_WRONG, &f->err),
			 JB_ECONFIG);
	assert_int_equal(seteuid(0), 0);
	assert_non_null(strstr(f->err.text, "can't be read by user 65534"));
}

/* The example that is installed parses, with and without its comments, and
 * tells of every key there is. */
static void test_example(void **state)
{
	struct fixture *f = *state;
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
	load(f, open);
	assert_int_equal(f->config->n_roots, 1);
	assert_int_equal(f->config->n_targets, 1);
	assert_int_equal(f->config->n_policies, 1);
	assert_int_equal(f->config->flush_us, 200000);
	assert_int_equal(jb_config_check_available(f->config, NULL), JB_OK);
	refuse(f, text, 0, "no [Root NAME]");
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, init, fini)
	const struct CMUnitTest tests[] = {
		TEST(test_whole),    TEST(test_getters),
		TEST(test_defaults), TEST(test_repeated),
		TEST(test_lines),    TEST(test_long_line),
		TEST(test_conf_d),   TEST(test_refused),
		TEST(test_infinity), TEST(test_policies_refused),
		TEST(test_chain),    TEST(test_no_file),
		TEST(test_passed),   TEST(test_unreadable),
		TEST(test_paths),    TEST(test_paths_rights),
		TEST(test_mounts),   TEST(test_target_below_root),
		TEST(test_example),  cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
