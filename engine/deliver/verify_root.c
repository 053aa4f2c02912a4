/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A catalog against its tree, both ways. However deep the tree is, one
 * directory is open at a time, and of a wide one a page is in memory. */
#include "engine/base/pattern.h"
#include "engine/deliver/verify_priv.h"
#include "transports/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct live {
	struct jb_verify *v;
	const struct jb_config *config;
	const struct jb_config_root *root;
	struct jb_catalog_view *view;
	struct jb_tree tree;
	struct jb_verify_dirs dirs;
	int rv;
	struct jb_error *err;
};

struct rows {
	struct jb_entry *v; /* owned */
	size_t n;
};

static int on_row(void *arg, const struct jb_entry *e)
{
	struct rows *r = arg;

	r->v[r->n++] = *e;
	return 0;
}

static const char *compare_entry(const struct jb_entry *e,
				 const struct jb_object *o)
{
	if (e->id.ino != o->ino || e->id.birth != o->birth)
		return "another entry is there";
	if (e->facts.mode != o->mode || e->facts.uid != o->uid ||
	    e->facts.gid != o->gid)
		return "mode or owner differ";
	if (S_ISREG(o->mode) &&
	    (e->facts.size != o->size || e->facts.mtime != o->mtime))
		return "size or time differ";
	return NULL;
}

static void check_row(struct live *l, int dirfd, const char *dir,
		      const struct jb_entry *e)
{
	char *path = jb_verify_join(dir, e->name), words[JB_VERIFY_WORDS];
	const char *what = NULL;
	struct jb_object o;
	int rv;

	if (path == NULL) {
		l->rv = jb_error_set(l->err, JB_ENOMEM, 0, "verify");
		return;
	}
	l->v->checked++;
	rv = jb_tree_look(dirfd, e->name, &o);
	if (rv < 0)
		what = jb_verify_unseen(words, -rv);
	else if (!(e->flags & JB_ENTRY_MOUNT))
		what = compare_entry(e, &o);
	if (what != NULL)
		jb_verify_tell(l->v, "root", l->root->name, path, what);
	else if (e->dirkey != 0 && !(e->flags & JB_ENTRY_MOUNT))
		l->rv = jb_verify_push(&l->dirs, e->dirkey, path, "", l->err);
	free(path);
}

/* A target's own directory is not journalled. */
static bool is_own(struct live *l, int dirfd, const char *name)
{
	struct jb_object o;

	return strcmp(name, JB_OWN_DIR) == 0 &&
	       jb_tree_look(dirfd, name, &o) == 0 &&
	       jb_own_dirs_have(l->config, l->root,
				(struct jb_id){o.ino, o.birth});
}

/* All names that the directory has, and the catalog does not. */
static void check_names(struct live *l, int fd, uint64_t key, const char *path)
{
	DIR *dir = fdopendir(fd);
	char *full, words[JB_VERIFY_WORDS];
	struct jb_entry e;
	struct dirent *d;

	if (dir == NULL) {
		close(fd);
		return;
	}
	while (errno = 0, (d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0 ||
		    l->view->ops->at(l->view, key, d->d_name, strlen(d->d_name),
				     &e, l->err) != 0)
			continue;
		full = jb_verify_join(path, d->d_name);
		if (full != NULL &&
		    jb_patterns_takes(l->root->patterns, full, strlen(full),
				      d->d_type == DT_DIR) &&
		    !is_own(l, dirfd(dir), d->d_name))
			jb_verify_tell(l->v, "root", l->root->name, full,
				       "the journal does not know it");
		free(full);
	}
	if (errno != 0)
		jb_verify_tell(l->v, "root", l->root->name, path,
			       jb_verify_unseen(words, errno));
	closedir(dir);
}

/* The rows behind dir->after, a page of them; the last one sees the names. */
static void check_page(struct live *l, const struct jb_verify_dir *dir,
		       struct rows *rows)
{
	int fd = jb_tree_enter(&l->tree, dir->path, O_RDONLY);
	char words[JB_VERIFY_WORDS];
	size_t from;

	if (fd < 0) {
		jb_verify_tell(l->v, "root", l->root->name, dir->path,
			       jb_verify_unseen(words, -fd));
		return;
	}
	rows->n = 0;
	l->rv = l->view->ops->children(l->view, dir->key, dir->after,
				       strlen(dir->after), JB_VERIFY_PAGE,
				       on_row, rows, l->err);
	if (l->rv >= 0 && rows->n == JB_VERIFY_PAGE)
		l->rv = jb_verify_push(&l->dirs, dir->key, dir->path,
				       rows->v[rows->n - 1].name, l->err);
	from = l->dirs.n;
	for (size_t i = 0; i < rows->n && l->rv >= 0; i++)
		check_row(l, fd, dir->path, &rows->v[i]);
	jb_verify_in_order(&l->dirs, from);
	if (l->rv >= 0 && rows->n < JB_VERIFY_PAGE)
		check_names(l, fd, dir->key, dir->path);
	else
		close(fd);
}

/* The top and all below. */
static void check_tree(struct live *l, uint64_t top)
{
	struct rows rows = {malloc(JB_VERIFY_PAGE * sizeof *rows.v), 0};
	struct jb_verify_dir dir;

	l->rv = rows.v != NULL ? jb_verify_push(&l->dirs, top, "", "", l->err)
			       : jb_error_set(l->err, JB_ENOMEM, 0, "verify");
	while (l->rv >= 0 && jb_verify_pop(&l->dirs, &dir)) {
		check_page(l, &dir, &rows);
		jb_verify_drop(&dir);
	}
	jb_verify_dirs_fini(&l->dirs);
	free(rows.v);
}

/* One line for a root that is not mounted, not one for each of its entries. */
static void check_top(struct live *l, const struct jb_entry *top)
{
	struct jb_object o;

	if (jb_tree_look(l->tree.fd, "", &o) == 0 && o.ino == top->id.ino &&
	    o.birth == top->id.birth) {
		check_tree(l, top->dirkey);
		return;
	}
	l->v->checked++;
	jb_verify_tell(l->v, "root", l->root->name, l->root->path,
		       "another directory is there: is it mounted?");
}

int jb_verify_root(struct jb_verify *v, const struct jb_config *config,
		   const struct jb_config_root *root, struct jb_error *err)
{
	struct live l = {
		.v = v,
		.config = config,
		.root = root,
		.err = err,
		.tree = {.fd = -1},
	};
	struct jb_entry top;
	int rv;

	rv = jb_catalog_view_open(config->state_dir, root->name, &l.view, err);
	if (rv != JB_OK)
		return rv;
	rv = jb_tree_open(&l.tree, root->path, "", err);
	if (rv == JB_OK) {
		rv = l.view->ops->top(l.view, &top, err);
		if (rv > 0)
			check_top(&l, &top);
		rv = rv < 0 ? rv : l.rv < 0 ? l.rv : JB_OK;
		jb_tree_close(&l.tree);
	}
	l.view->ops->close(l.view);
	return rv;
}
