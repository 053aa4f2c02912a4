/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is passed: for each file its path, NUL, its size in decimal, NUL, and
 * its bytes. */
#include "engine/base/config_pass.h"

#include "engine/base/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3; where vm.memfd_noexec=2 it is a must */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static int make_memory(void)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("configuration", flags | MFD_NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create("configuration", flags)
					 : fd;
}

static int write_all(int fd, const char *text, size_t size)
{
	ssize_t n;

	for (; size > 0; text += n, size -= (size_t)n) {
		n = write(fd, text, size);
		if (n < 0)
			return -1; /* no signal interrupts one to memory */
	}
	return 0;
}

/* -1 and errno. */
static int write_files(const struct jb_config *config, int fd)
{
	const struct jb_config_file *file;

	for (size_t i = 0; i < config->n_files; i++) {
		file = &config->files[i];
		if (dprintf(fd, "%s%c%zu%c", file->path, '\0', file->size,
			    '\0') < 0 ||
		    write_all(fd, file->text, file->size) < 0)
			return -1;
	}
	return 0;
}

int jb_config_pass(const struct jb_config *config, int *ret_fd,
		   struct jb_error *err)
{
	int fd = make_memory(), rv = 0;

	if (fd < 0 || write_files(config, fd) < 0 ||
	    fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		rv = jb_error_errno(err, errno, "%s: can't be handed on",
				    config->file);
	if (rv != JB_OK && fd >= 0)
		close(fd);
	if (rv == JB_OK)
		*ret_fd = fd;
	return rv;
}

/* ---- the other side */

static int fail(struct jb_error *err)
{
	return jb_error_set(err, JB_EPROTO, 0,
			    "no configuration was handed on by a daemon");
}

/* Shared with others: its offset is nobody's. */
static int read_all(int fd, char **ret, size_t *ret_size, struct jb_error *err)
{
	struct stat st;
	size_t n = 0;
	ssize_t got;
	char *text;

	if (fcntl(fd, F_GET_SEALS) < 0 ||
	    (fcntl(fd, F_GET_SEALS) & SEALS) != SEALS || fstat(fd, &st) != 0)
		return fail(err);
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "configuration");
	while (n < (size_t)st.st_size) {
		got = pread(fd, text + n, (size_t)st.st_size - n, (off_t)n);
		if (got <= 0) {
			free(text);
			return fail(err);
		}
		n += (size_t)got;
	}
	text[n] = '\0';
	*ret = text;
	*ret_size = n;
	return JB_OK;
}

/* The next string of @at, which ends with a NUL before @end; NULL: none. */
static const char *take_string(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = memchr(text, '\0', (size_t)(end - text));

	if (nul == NULL)
		return NULL;
	*at = nul + 1;
	return text;
}

static int take_files(struct jb_config *c, const char *at, const char *end,
		      struct jb_error *err)
{
	const char *path, *number;
	size_t size;
	int rv = JB_OK;

	while (rv == JB_OK && at < end) {
		path = take_string(&at, end);
		number = path == NULL ? NULL : take_string(&at, end);
		if (number == NULL)
			return fail(err);
		size = strtoul(number, NULL, 10);
		if (size > (size_t)(end - at))
			return fail(err);
		rv = jb_config_add_file(c, path, err);
		if (rv == JB_OK)
			rv = jb_config_file_set(&c->files[c->n_files - 1], at,
						size, err);
		at += size;
	}
	return rv == JB_OK && c->n_files == 0 ? fail(err) : rv;
}

int jb_config_load_passed(int fd, struct jb_config **ret, struct jb_error *err)
{
	struct jb_config *c;
	char *text = NULL;
	size_t size = 0;
	int rv = read_all(fd, &text, &size, err);

	if (rv != JB_OK)
		return rv;
	c = calloc(1, sizeof *c);
	rv = c == NULL ? jb_error_set(err, JB_ENOMEM, 0, "configuration")
		       : take_files(c, text, text + size, err);
	free(text);
	if (rv == JB_OK)
		return jb_config_build(c, ret, err);
	jb_config_free(c);
	return rv;
}
