/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int on_entry(const char *path, const struct stat *st, int flag,
		    struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int t_config_init(void **state)
{
	struct t_config *f = calloc(1, sizeof *f);

	if (f == NULL)
		return -1;
	strcpy(f->dir, "/var/tmp/jb-config-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->file, sizeof f->file, "%s/jb.conf", f->dir);
	*state = f;
	return 0;
}

int t_config_fini(void **state)
{
	struct t_config *f = *state;

	jb_config_free(f->config);
	nftw(f->dir, on_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

void t_config_write(const char *file, const char *text, size_t len)
{
	FILE *out = fopen(file, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

int t_config_load_bytes(struct t_config *f, const char *text, size_t len)
{
	struct jb_config *config;
	int rv;

	t_config_write(f->file, text, len);
	f->err = (struct jb_error){0};
	rv = jb_config_load(f->file, &config, &f->err);
	if (rv == JB_OK) {
		jb_config_free(f->config);
		f->config = config;
	}
	return rv;
}

struct jb_config *t_config_load(struct t_config *f, const char *text)
{
	if (t_config_load_bytes(f, text, strlen(text)) != JB_OK)
		fail_msg("%s", f->err.text);
	return f->config;
}

void t_config_refuse(struct t_config *f, const char *text, int line,
		     const char *word)
{
	char begin[160];

	assert_int_equal(t_config_load_bytes(f, text, strlen(text)),
			 JB_ECONFIG);
	if (line > 0)
		snprintf(begin, sizeof begin, "%s:%d: ", f->file, line);
	else
		snprintf(begin, sizeof begin, "%s: ", f->file);
	if (strncmp(f->err.text, begin, strlen(begin)) != 0 ||
	    strstr(f->err.text, word) == NULL)
		fail_msg("not %s... %s...: %s", begin, word, f->err.text);
}
