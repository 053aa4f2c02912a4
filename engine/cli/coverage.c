/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/coverage.h"

#include "engine/base/pattern.h"
#include "engine/cli/output.h"
#include "transports/transport.h"
#include "transports/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTED_MAX 12	 /* names of a kind per root; then a count */
#define NAMES_MAX  50000 /* that are looked at per root */
#define DEPTH_MAX  16

/* A policy that writes what is in the root, and what it takes of it. */
struct taker {
	const char *name;	      /* borrowed */
	struct jb_patterns *patterns; /* owned, may be NULL */
};

/* A directory, relative to the root; "" is the root. */
struct place {
	char *path; /* owned */
	unsigned depth;
};

/* What is to be said of one kind. */
struct told {
	char *lines[LISTED_MAX]; /* owned */
	size_t n;
};

struct name {
	char *text; /* owned */
	bool is_dir;
};

struct coverage {
	const struct jb_config_root *root; /* borrowed */
	struct jb_tree tree;		   /* owned; of the root */
	struct taker *takers;		   /* owned */
	size_t n_takers;
	struct place *places; /* owned; looked into one after another */
	size_t n_places, cap_places;
	struct told none, several;
	size_t looked;	/* names */
	size_t unknown; /* directories that were not looked into */
	dev_t dev;
	bool no_memory;
};

/* ---- what is found */

static bool takes(const struct taker *t, const char *path, bool is_dir)
{
	return jb_patterns_takes(t->patterns, path, strlen(path), is_dir);
}

static size_t count_takers(const struct coverage *c, const char *path,
			   bool is_dir)
{
	size_t count = 0;

	for (size_t i = 0; i < c->n_takers; i++)
		count += takes(&c->takers[i], path, is_dir);
	return count;
}

static void print_takers(const struct coverage *c, const char *path,
			 bool is_dir, FILE *f)
{
	const char *before = " (";

	for (size_t i = 0; i < c->n_takers; i++) {
		if (!takes(&c->takers[i], path, is_dir))
			continue;
		fprintf(f, "%s%s", before, c->takers[i].name);
		before = ", ";
	}
	fputc(')', f);
}

static void tell(struct coverage *c, struct told *t, const char *path,
		 bool is_dir)
{
	size_t size = 0;
	FILE *f;

	if (t->n++ >= LISTED_MAX)
		return;
	f = open_memstream(&t->lines[t->n - 1], &size);
	if (f == NULL) {
		c->no_memory = true;
		return;
	}
	jb_out_text(f, path, strlen(path));
	if (is_dir)
		fputc('/', f);
	if (t == &c->several)
		print_takers(c, path, is_dir, f);
	fclose(f);
}

/* Do all who take the directory @path take all that is below? */
static bool is_uniform(const struct coverage *c, const char *path)
{
	for (size_t i = 0; i < c->n_takers; i++)
		if (takes(&c->takers[i], path, true) &&
		    !jb_patterns_takes_below(c->takers[i].patterns, path,
					     strlen(path)))
			return false;
	return true;
}

static void add_place(struct coverage *c, const char *path, unsigned depth)
{
	size_t cap = c->cap_places == 0 ? 64 : c->cap_places * 2;
	struct place *places;

	if (c->n_places == c->cap_places) {
		places = reallocarray(c->places, cap, sizeof *places);
		if (places == NULL) {
			c->no_memory = true;
			return;
		}
		c->places = places;
		c->cap_places = cap;
	}
	places = &c->places[c->n_places];
	*places = (struct place){.path = strdup(path), .depth = depth};
	if (places->path == NULL)
		c->no_memory = true;
	else
		c->n_places++;
}

/* ---- the tree */

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text,
		      ((const struct name *)b)->text);
}

/* Some file systems leave the type out. */
static bool is_dir(DIR *dir, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	return fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* NULL: it can't be known what is in it. At a mount, which may answer nothing,
 * and at a subvolume the root ends: errno 0. */
static DIR *open_place(const struct coverage *c, const char *path)
{
	int fd = jb_tree_enter(&c->tree, path, O_RDONLY);
	struct stat st;
	DIR *dir;

	if (fd < 0) {
		errno = fd == -EXDEV ? 0 : -fd;
		return NULL;
	}
	if (*path != '\0' && fstat(fd, &st) == 0 && st.st_dev != c->dev) {
		close(fd);
		errno = 0;
		return NULL;
	}
	dir = fdopendir(fd);
	if (dir == NULL)
		close(fd);
	return dir;
}

/* At most @max names of @dir, sorted; owned by the caller. True: all of them.
 */
static bool read_names(DIR *dir, size_t max, struct name **ret, size_t *ret_n)
{
	size_t n = 0, cap = 0;
	struct name *names = NULL, *more;
	const struct dirent *d;

	while ((d = readdir(dir)) != NULL && n < max) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (n == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			more = reallocarray(names, cap, sizeof *names);
			if (more == NULL)
				break;
			names = more;
		}
		names[n].text = strdup(d->d_name);
		if (names[n].text == NULL)
			break;
		names[n++].is_dir = is_dir(dir, d);
	}
	if (n > 0)
		qsort(names, n, sizeof *names, compare_names);
	*ret = names;
	*ret_n = n;
	return d == NULL;
}

/* Returns whether it is the root's at all. */
static bool look_at(struct coverage *c, const struct place *dir,
		    const struct name *name)
{
	char path[PATH_MAX];
	size_t count;
	int n;

	n = snprintf(path, sizeof path, "%s%s%s", dir->path,
		     *dir->path != '\0' ? "/" : "", name->text);
	if (n >= (int)sizeof path) {
		c->unknown++;
		return true;
	}
	if (!jb_patterns_takes(c->root->patterns, path, (size_t)n,
			       name->is_dir) ||
	    strcmp(path, JB_OWN_DIR) == 0)
		return false;
	count = count_takers(c, path, name->is_dir);
	if (count == 0)
		tell(c, &c->none, path, name->is_dir);
	else if (name->is_dir && !is_uniform(c, path))
		add_place(c, path, dir->depth + 1);
	else if (count > 1)
		tell(c, &c->several, path, name->is_dir);
	return true;
}

static void look_into(struct coverage *c, size_t at)
{
	const struct place place = c->places[at];
	struct name *names = NULL;
	size_t n = 0, ours = 0;
	DIR *dir = NULL;
	bool all = true;

	errno = E2BIG;
	if (place.depth <= DEPTH_MAX && c->looked < NAMES_MAX)
		dir = open_place(c, place.path);
	if (dir != NULL) {
		all = read_names(dir, NAMES_MAX - c->looked, &names, &n);
		closedir(dir);
	} else {
		all = errno == 0;
	}
	c->looked += n;
	c->unknown += !all;
	for (size_t i = 0; i < n; i++) {
		ours += look_at(c, &place, &names[i]);
		free(names[i].text);
	}
	free(names);
	if (ours == 0 && all && *place.path != '\0' &&
	    count_takers(c, place.path, true) > 1)
		tell(c, &c->several, place.path, true);
}

/* ---- all of it */

static int find_takers(struct coverage *c, const struct jb_config *config,
		       struct jb_error *err)
{
	const struct jb_config_section *p;
	struct taker *t;
	const char *root;
	int rv;

	c->takers = calloc(config->n_policies + 1, sizeof *c->takers);
	if (c->takers == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "%s", c->root->path);
	for (size_t i = 0; i < config->n_policies; i++) {
		p = &config->policies[i];
		root = jb_config_text(p, "Root");
		if (root == NULL || strcmp(root, c->root->name) != 0 ||
		    jb_config_text(p, "Target") == NULL)
			continue;
		t = &c->takers[c->n_takers];
		rv = jb_config_patterns(p, &t->patterns, err);
		if (rv != JB_OK)
			return rv;
		t->name = p->name;
		c->n_takers++;
	}
	return JB_OK;
}

static void print_told(const struct told *t, const char *head)
{
	if (t->n == 0)
		return;
	printf("  %s: ", head);
	for (size_t i = 0; i < t->n && i < LISTED_MAX; i++)
		printf("%s%s", i > 0 ? ", " : "",
		       t->lines[i] != NULL ? t->lines[i] : "?");
	if (t->n > LISTED_MAX)
		printf(" and %zu more", t->n - LISTED_MAX);
	putchar('\n');
}

static void print_all(const struct coverage *c)
{
	printf("\nof root %s:\n", c->root->name);
	if (c->n_takers == 0) {
		printf("  nothing goes to a policy: none has Root=%s\n",
		       c->root->name);
		return;
	}
	print_told(&c->none, "to no policy");
	print_told(&c->several, "to more than one policy");
	if (c->unknown > 0)
		printf("  %zu directories were not looked into, so it is not "
		       "known of what is in them\n  (%d levels and %d names "
		       "at most, and what can be read)\n",
		       c->unknown, DEPTH_MAX, NAMES_MAX);
	else if (c->none.n == 0)
		printf("  everything goes to a policy\n");
}

static void fini(struct coverage *c)
{
	for (size_t i = 0; i < LISTED_MAX; i++) {
		free(c->none.lines[i]);
		free(c->several.lines[i]);
	}
	for (size_t i = 0; i < c->n_places; i++)
		free(c->places[i].path);
	for (size_t i = 0; i < c->n_takers; i++)
		jb_patterns_free(c->takers[i].patterns);
	jb_tree_close(&c->tree);
	free(c->places);
	free(c->takers);
}

int jb_coverage_print(const struct jb_config *config,
		      const struct jb_config_root *root, struct jb_error *err)
{
	struct coverage c = {.root = root, .tree.fd = -1};
	struct stat st;
	int rv = find_takers(&c, config, err);

	if (rv == JB_OK)
		rv = jb_tree_open(&c.tree, root->path, "", err);
	if (rv == JB_OK) {
		c.dev = fstat(c.tree.fd, &st) == 0 ? st.st_dev : 0;
		add_place(&c, "", 0);
		for (size_t i = 0;
		     c.n_takers > 0 && i < c.n_places && !c.no_memory; i++)
			look_into(&c, i);
		if (c.no_memory)
			rv = jb_error_set(err, JB_ENOMEM, 0, "%s", root->path);
	}
	if (rv == JB_OK)
		print_all(&c);
	fini(&c);
	return rv;
}
