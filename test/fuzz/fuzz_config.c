/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any file: it is read, or refused with one line that names it. */
#include "engine/base/config.h"
#include "engine/base/pattern.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct jb_config *c)
{
	struct jb_patterns *p;
	char *dir;

	for (size_t i = 0; i < c->n_roots; i++) {
		if (c->roots[i].path[0] != '/' || c->roots[i].where.line < 1)
			abort();
		jb_patterns_takes(c->roots[i].patterns, "a/b/c", 5, false);
	}
	for (size_t i = 0; i < c->n_policies; i++) {
		if (jb_config_patterns(&c->policies[i], &p, NULL) != JB_OK ||
		    jb_config_target_dir(c, &c->policies[i], &dir, NULL) !=
			    JB_OK)
			abort();
		jb_config_limit(&c->policies[i], "MaxDelete");
		jb_config_duration(&c->policies[i], "Every");
		jb_patterns_free(p);
		free(dir);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jb_config *config;
	struct jb_error err = {0};
	char path[64];
	int fd, rv;

	fd = memfd_create("config", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	rv = jb_config_load(path, &config, &err);
	if (rv == JB_OK) {
		use(config);
		jb_config_free(config);
	} else if (rv != JB_ECONFIG || strncmp(err.text, path, strlen(path))) {
		abort();
	}
	close(fd);
	return 0;
}
