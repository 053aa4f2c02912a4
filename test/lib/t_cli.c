/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_cli.h"

#include "lib/t_daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int t_cli_init(void **state)
{
	struct t_cli *t = calloc(1, sizeof *t);

	assert_non_null(t);
	strcpy(t->dir, "/tmp/jb-cli-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->config, sizeof t->config, "%s/jb.conf", t->dir);
	snprintf(t->state, sizeof t->state, "%s/state", t->dir);
	t_shell("chmod 755 %s && mkdir %s/state %s/run && printf "
		"'[Journal]\\nStateDirectory=%s\\nRuntimeDirectory=%s/run\\n"
		"[Root nfs]\\nPath=/tmp\\n' > %s",
		t->dir, t->dir, t->dir, t->state, t->dir, t->config);
	setenv("TZ", "UTC", 1);
	*state = t;
	return 0;
}

int t_cli_fini(void **state)
{
	struct t_cli *t = *state;

	t_output_fini(&t->o);
	t_shell("rm -rf %s", t->dir);
	free(t);
	return 0;
}

void t_cli_run(struct t_cli *t, int code, const char *format, ...)
{
	char args[1024], line[1400];
	const char *argv[] = {"sh", "-c", line, NULL};
	va_list ap;

	va_start(ap, format);
	vsnprintf(args, sizeof args, format, ap);
	va_end(ap);
	snprintf(line, sizeof line, "%s --config %s %s", t_daemon_program(),
		 t->config, args);
	t_output_fini(&t->o);
	t_process_run(&t->o, argv);
	if (t->o.status != code)
		fail_msg("%s: exit %d, not %d: %s%s", args, t->o.status, code,
			 t->o.out, t->o.err);
}

void t_cli_words(struct t_cli *t, ...)
{
	const char *word;
	va_list ap;

	assert_int_equal(strcspn(t->o.err, "\n") + 1, t->o.err_len);
	va_start(ap, t);
	while ((word = va_arg(ap, const char *)) != NULL)
		if (strstr(t->o.err, word) == NULL)
			fail_msg("does not say '%s': %s", word, t->o.err);
	va_end(ap);
}

void t_cli_out(struct t_cli *t, const char *text)
{
	if (strcmp(t->o.out, text) != 0)
		fail_msg("printed:\n%s\nnot:\n%s", t->o.out, text);
}

void t_cli_make(struct t_cli *t, struct t_journal *j)
{
	static const struct t_change changes[] = {
		{.kind = JB_KIND_CREATED,
		 .path = "d/a\nb\x1b[31m\xff",
		 .size = 1536,
		 .what = JB_WHAT_CONTENT},
		{.kind = JB_KIND_MODIFIED,
		 .path = "d/\xc3\xa4",
		 .size = 3,
		 .what = JB_WHAT_CONTENT,
		 .source = JB_SOURCE_SCAN},
		{.kind = JB_KIND_RENAMED,
		 .path = "e",
		 .old_path = "d",
		 .mode = S_IFDIR | 0755,
		 .what = JB_WHAT_PLACE},
		{.kind = JB_KIND_ATTRIB,
		 .path = "l",
		 .mode = S_IFLNK | 0777,
		 .what = JB_WHAT_METADATA},
		{.kind = JB_KIND_DELETED,
		 .path = "e",
		 .mode = S_IFDIR | 0755,
		 .entries = 1234,
		 .bytes = 4096},
	};

	t_journal_init(j, t->state);
	t_journal_root(j, "nfs", "/tmp");
	for (size_t i = 0; i < 5; i++) {
		if (i % 3 == 0)
			t_journal_batch(j, T_CLI_T0 + (int64_t)i * 1000);
		t_journal_change(j, &changes[i]);
	}
	t_journal_commit(j);
}

void t_cli_make_only(struct t_cli *t)
{
	struct t_journal j;

	t_cli_make(t, &j);
	t_journal_fini(&j);
}
