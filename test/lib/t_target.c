/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_target.h"

#include "lib/t_process.h"
#include "transports/tree.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

void t_target_open(struct t_target *x, unsigned preserve, unsigned threads)
{
	const struct jb_target_options o = {
		.name = "disk",
		.path = T_TARGET,
		.under = "",
		.source = T_SOURCE,
		.preserve = preserve,
		.threads = threads,
	};

	if (x->t != NULL)
		x->ops->close(x->t);
	x->t = NULL;
	assert_int_equal(x->ops->open(&o, &x->t, &x->err), JB_OK);
	if (x->uuid[0] == '\0') {
		assert_int_equal(jb_target_make_uuid(x->uuid, &x->err), JB_OK);
		assert_int_equal(x->ops->init(x->t, "test", x->uuid, &x->err),
				 JB_OK);
	}
	if (x->ops->start(x->t, x->uuid, 0, &x->can, &x->err) != JB_OK)
		fail_msg("start: %s", x->err.text);
}

static void make(struct t_target *x, const struct t_pair *pair)
{
	memset(x, 0, sizeof *x);
	x->ops = jb_transport_find("local");
	assert_non_null(x->ops);
	t_mount_init(&x->source, pair->source, T_SOURCE, 0);
	x->is_shared = pair->target == T_none;
	if (x->is_shared) { /* both on one file system */
		t_shell("mkdir -p %s/s %s/t " T_TARGET, T_SOURCE, T_SOURCE);
		assert_int_equal(
			mount(T_SOURCE "/t", T_TARGET, NULL, MS_BIND, NULL), 0);
		assert_int_equal(
			mount(T_SOURCE "/s", T_SOURCE, NULL, MS_BIND, NULL), 0);
	} else if (pair->target_mb != 0) { /* smaller than t_mount makes */
		t_shell("mkdir -p " T_TARGET "; rm -f /mnt/small;"
			"truncate -s %uM /mnt/small; mkfs.ext4 -q /mnt/small;"
			"mount -o loop /mnt/small " T_TARGET,
			pair->target_mb);
	} else {
		t_mount_init(&x->target, pair->target, T_TARGET, 0);
	}
	t_target_open(x, JB_PRESERVE_ALL, 0);
}

static void take_down(struct t_target *x)
{
	x->ops->close(x->t);
	if (x->target.path[0] == '\0')
		umount2(T_TARGET, 0);
	if (x->is_shared)
		umount2(T_SOURCE, 0);
	t_mount_fini(&x->target);
	t_mount_fini(&x->source);
}

static struct t_target *of_the_tests; /* borrowed */

int t_target_set_up(void **state)
{
	make(of_the_tests, *state);
	return 0;
}

int t_target_tear_down(void **state)
{
	(void)state;
	take_down(of_the_tests);
	return 0;
}

int t_target_run(const char *group, struct t_target *x,
		 const struct CMUnitTest *tests, size_t n, int argc,
		 char **argv)
{
	of_the_tests = x;
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, "size=80%,mode=755") != 0) {
		fprintf(stderr, "skipped: needs root to mount: %s\n",
			strerror(errno));
		return 77;
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return _cmocka_run_group_tests(group, tests, n, NULL, NULL) == 0 ? 0
									 : 1;
}

struct jb_work t_target_work(struct t_target *x, const char *dir,
			     const char *name, const char *to)
{
	struct jb_work w = {
		.from = {dir, name},
		.to = {JB_STAGE_DIR, to},
		.near = dir,
	};
	struct jb_object o;
	struct jb_tree tree;
	int fd;

	(void)x;
	assert_int_equal(jb_tree_open(&tree, T_SOURCE, "", NULL), JB_OK);
	fd = jb_tree_enter(&tree, dir, O_PATH);
	assert_true(fd >= 0);
	assert_int_equal(jb_tree_look(fd, name, &o), 0);
	close(fd);
	jb_tree_close(&tree);
	w.ino = o.ino;
	w.birth = o.birth;
	w.mode = o.mode;
	return w;
}

enum jb_outcome t_target_put(struct t_target *x, const char *dir,
			     const char *name, struct jb_object *ret)
{
	struct jb_work w = t_target_work(x, dir, name, "put");
	struct jb_stamp stamp;
	enum jb_outcome out;

	x->ops->make(x->t, &w, 1, &x->err);
	x->err = w.err;
	if (w.outcome != JB_OUTCOME_DONE)
		return w.outcome;
	stamp = jb_stamp_of(&w.target);
	out = x->ops->rename(x->t, w.to, &stamp, w.from, &x->err);
	if (ret != NULL)
		*ret = w.target;
	return out;
}

void t_target_attrs(struct t_target *x, const char *dir, const char *name)
{
	struct jb_work w = t_target_work(x, dir, name, NULL);

	w.to = w.from;
	x->ops->attrs(x->t, &w, 1, &x->err);
	if (w.outcome != JB_OUTCOME_DONE)
		fail_msg("%s: %s", jb_outcome_word(w.outcome), w.err.text);
}

/* One directory's entries; what is below a directory follows by recursion. */
struct copying {
	struct t_target *x;
	struct jb_tree tree; /* of the source */
	struct {
		uint64_t ino;
		struct jb_place at; /* owned */
		struct jb_stamp stamp;
	} links[64];
	size_t n_links;
};

static void say_work(const struct jb_work *w)
{
	if (w->outcome != JB_OUTCOME_DONE)
		fail_msg("%s: %s", jb_outcome_word(w->outcome), w->err.text);
	if (w->partial)
		print_message("partial: %s/%s: %s\n", w->from.dir, w->from.name,
			      w->err.text);
}

/* A second name of a file that is there already? */
static bool link_known(struct copying *c, const struct jb_work *w)
{
	struct t_target *x = c->x;

	for (size_t i = 0; i < c->n_links; i++) {
		if (c->links[i].ino != w->ino || S_ISDIR(w->mode))
			continue;
		if (x->ops->link(x->t, c->links[i].at, &c->links[i].stamp,
				 w->from, &x->err) != JB_OUTCOME_DONE)
			fail_msg("link: %s", x->err.text);
		return true;
	}
	return false;
}

static void note_link(struct copying *c, const struct jb_work *w)
{
	if (w->source.nlink < 2 || S_ISDIR(w->mode))
		return;
	assert_true(c->n_links < 64);
	c->links[c->n_links].ino = w->ino;
	c->links[c->n_links].at.dir = strdup(w->from.dir);
	c->links[c->n_links].at.name = strdup(w->from.name);
	c->links[c->n_links++].stamp = jb_stamp_of(&w->target);
}

static void copy_dir(struct copying *c, const char *dir);

static void copy_entry(struct copying *c, const char *dir, const char *name)
{
	struct t_target *x = c->x;
	struct jb_work w = t_target_work(x, dir, name, "copy");
	struct jb_stamp stamp;
	char *path;

	if (link_known(c, &w))
		return;
	w.want_hash = true;
	x->ops->make(x->t, &w, 1, &x->err);
	say_work(&w);
	stamp = jb_stamp_of(&w.target);
	if (x->ops->rename(x->t, w.to, &stamp, w.from, &x->err) !=
	    JB_OUTCOME_DONE)
		fail_msg("rename: %s", x->err.text);
	note_link(c, &w);
	if (!S_ISDIR(w.mode))
		return;
	assert_true(asprintf(&path, "%s%s%s", dir, dir[0] != '\0' ? "/" : "",
			     name) > 0);
	copy_dir(c, path);
	free(path);
	t_target_attrs(x, dir, name);
}

static void copy_dir(struct copying *c, const char *dir)
{
	int fd = jb_tree_enter(&c->tree, dir, O_RDONLY);
	struct dirent *d;
	DIR *list;

	assert_true(fd >= 0);
	list = fdopendir(fd);
	assert_non_null(list);
	while ((d = readdir(list)) != NULL)
		if (strcmp(d->d_name, ".") != 0 &&
		    strcmp(d->d_name, "..") != 0 &&
		    strcmp(d->d_name, "lost+found") != 0)
			copy_entry(c, dir, d->d_name);
	closedir(list);
}

void t_target_copy(struct t_target *x)
{
	struct copying c = {.x = x};

	assert_int_equal(jb_tree_open(&c.tree, T_SOURCE, "", NULL), JB_OK);
	copy_dir(&c, "");
	t_target_attrs(x, "", ".");
	assert_int_equal(x->ops->sync(x->t, false, &x->err), JB_OK);
	jb_tree_close(&c.tree);
	for (size_t i = 0; i < c.n_links; i++) {
		free((char *)c.links[i].at.dir);
		free((char *)c.links[i].at.name);
	}
}

void t_target_compare(struct t_target *x)
{
	const char *const argv[] = {
		"rsync",
		"-naHAXi",
		"--delete",
		"--numeric-ids",
		"--exclude=/" JB_OWN_DIR "/",
		"--exclude=/lost+found/",
		"--filter=-x trusted.SGI_ACL_*", /* xfs: the ACLs once more */
		"--checksum",
		T_SOURCE "/",
		T_TARGET "/",
		NULL,
	};
	struct t_output o;

	(void)x;
	t_process_run(&o, argv);
	if (o.status != 0 || o.out_len != 0)
		fail_msg("rsync says: %s%s", o.out, o.err);
	t_output_fini(&o);
}

void t_write(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	size_t len = strlen(text);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

void t_expect_text(const char *path, const char *text)
{
	char have[256] = "";
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	n = read(fd, have, sizeof have - 1);
	assert_true(n >= 0);
	close(fd);
	assert_string_equal(have, text);
}

int t_count(const char *path)
{
	struct dirent *d;
	int n = 0;
	DIR *dir = opendir(path);

	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			n++;
	closedir(dir);
	return n;
}
