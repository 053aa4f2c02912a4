/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copy a tree to an empty local target the way a first copy does: entries are
 * staged by make(), those of the first level take their names, directories get
 * their times, all is made durable.
 *
 *   bench_copy SOURCE TARGET [THREADS]
 *
 * prints {"files", "dirs", "bytes", "stage_s", "name_s", "attrs_s", "sync_s",
 * "wall_s", "cpu_s"}. */
#include "bench/stopwatch.h"
#include "transports/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 4096

struct found {
	char *dir, *name; /* owned; where it is in the source */
	struct jb_object o;
};

struct list {
	struct found *items;
	size_t n, capacity;
};

struct spent {
	double stage, name, attrs, sync;
	long files, dirs;
	long long bytes;
};

static void add(struct list *l, const char *dir, const char *name,
		const struct jb_object *o)
{
	if (l->n == l->capacity) {
		l->capacity = l->capacity != 0 ? 2 * l->capacity : 1024;
		l->items = realloc(l->items, l->capacity * sizeof *l->items);
		if (l->items == NULL)
			err(1, "realloc");
	}
	l->items[l->n++] = (struct found){strdup(dir), strdup(name), *o};
}

/* All below @dir, each directory before what is in it. */
static void walk(const struct jb_tree *tree, const char *dir, struct list *l)
{
	size_t begin = l->n, end;
	struct jb_object o;
	struct dirent *d;
	char *path;
	DIR *open;

	open = fdopendir(jb_tree_enter(tree, dir, O_RDONLY));
	if (open == NULL)
		err(1, "%s", dir);
	while ((d = readdir(open)) != NULL)
		if (strcmp(d->d_name, ".") != 0 &&
		    strcmp(d->d_name, "..") != 0 &&
		    strcmp(d->d_name, "lost+found") != 0 &&
		    jb_tree_look(dirfd(open), d->d_name, &o) == 0)
			add(l, dir, d->d_name, &o);
	closedir(open);
	end = l->n;
	for (size_t i = begin; i < end; i++) {
		if (!S_ISDIR(l->items[i].o.mode))
			continue;
		if (asprintf(&path, "%s%s%s", dir, dir[0] != '\0' ? "/" : "",
			     l->items[i].name) < 0)
			err(1, "asprintf");
		walk(tree, path, l);
		free(path);
	}
}

static void check(enum jb_outcome out, const struct jb_error *e)
{
	if (out != JB_OUTCOME_DONE)
		errx(1, "%s: %s", jb_outcome_word(out), e->text);
}

/* Where @f is made: one of the first level has a number in stage/, all below it
 * is made in it. */
static struct jb_place staged(const struct list *l, const struct found *f)
{
	struct jb_place p = {JB_STAGE_DIR, NULL};
	size_t len = strcspn(f->dir, "/"), i = 0;
	char *text;

	if (f->dir[0] == '\0') {
		if (asprintf(&text, "s%zu", (size_t)(f - l->items)) < 0)
			errx(1, "asprintf");
		p.name = text;
		return p;
	}
	while (strncmp(l->items[i].name, f->dir, len) != 0 ||
	       l->items[i].name[len] != '\0')
		i++;
	if (asprintf(&text, JB_STAGE_DIR "/s%zu%s", i, f->dir + len) < 0)
		errx(1, "asprintf");
	return (struct jb_place){text, f->name};
}

static void stage(struct jb_target *t, const struct list *l, size_t at,
		  struct jb_work *work, size_t n, struct spent *s)
{
	const struct found *f = l->items + at;
	struct jb_error e;
	double begin;

	for (size_t i = 0; i < n; i++)
		work[i] = (struct jb_work){
			.from = {f[i].dir, f[i].name},
			.ino = f[i].o.ino,
			.birth = f[i].o.birth,
			.mode = f[i].o.mode,
			.to = staged(l, &f[i]),
			.near = f[i].dir[0] == '\0' ? "" : NULL,
		};
	begin = wall_s();
	check(t->ops->make(t, work, n, &e), &e);
	for (size_t i = 0; i < n; i++) {
		check(work[i].outcome, &work[i].err);
		s->bytes += work[i].bytes;
		if (S_ISDIR(work[i].mode))
			s->dirs++;
		else
			s->files++;
	}
	s->stage += wall_s() - begin;
}

static void name_first_level(struct jb_target *t, const struct list *l,
			     struct spent *s)
{
	const struct jb_stamp any = {.ino = 0};
	double begin = wall_s();
	struct jb_error e;

	for (size_t i = 0; i < l->n && l->items[i].dir[0] == '\0'; i++)
		check(t->ops->rename(t, staged(l, &l->items[i]), &any,
				     (struct jb_place){"", l->items[i].name},
				     &e),
		      &e);
	s->name += wall_s() - begin;
}

static size_t keep_dirs(struct jb_work *all, size_t kept,
			const struct jb_work *work, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (S_ISDIR(work[i].mode))
			all[kept++] = work[i];
	for (size_t i = 0; i < kept; i++)
		all[i].to = all[i].from;
	return kept;
}

static void copy_all(struct jb_target *t, const struct list *l, struct spent *s)
{
	struct jb_work *work = calloc(BATCH, sizeof *work);
	struct jb_work *dirs = calloc(l->n, sizeof *dirs);
	struct jb_error e;
	size_t n_dirs = 0, n;
	double begin;

	if (work == NULL || dirs == NULL)
		err(1, "calloc");
	for (size_t at = 0; at < l->n; at += n) {
		n = l->n - at < BATCH ? l->n - at : BATCH;
		stage(t, l, at, work, n, s);
		n_dirs = keep_dirs(dirs, n_dirs, work, n);
	}
	name_first_level(t, l, s);
	begin = wall_s();
	check(t->ops->attrs(t, dirs, n_dirs, &e), &e);
	s->attrs = wall_s() - begin;
	begin = wall_s();
	if (t->ops->sync(t, false, &e) != JB_OK)
		errx(1, "%s", e.text);
	s->sync = wall_s() - begin;
	free(work);
	free(dirs);
}

int main(int argc, char **argv)
{
	const struct jb_target_ops *ops = jb_transport_find("local");
	struct jb_target_options o = {
		.name = "bench",
		.source = argc > 1 ? argv[1] : NULL,
		.path = argc > 2 ? argv[2] : NULL,
		.preserve = JB_PRESERVE_ALL,
		.threads = argc > 3 ? (unsigned)parse_count(argv[3]) : 0,
	};
	struct spent s = {.files = 0};
	struct list l = {.n = 0};
	struct jb_tree tree;
	struct jb_error e;
	struct jb_target *t;
	double begin, cpu;
	unsigned can;
	char uuid[37];

	if (argc < 3)
		errx(2, "usage: bench_copy SOURCE TARGET [THREADS]");
	if (jb_tree_open(&tree, o.source, "", &e) != JB_OK ||
	    ops->open(&o, &t, &e) != JB_OK ||
	    jb_target_make_uuid(uuid, &e) != JB_OK ||
	    ops->init(t, "bench", uuid, &e) != JB_OK)
		errx(1, "%s", e.text);
	begin = wall_s();
	cpu = cpu_s();
	if (ops->start(t, uuid, 0, &can, &e) != JB_OK)
		errx(1, "%s", e.text);
	walk(&tree, "", &l);
	copy_all(t, &l, &s);
	printf("{\"files\": %ld, \"dirs\": %ld, \"bytes\": %lld, "
	       "\"stage_s\": %.3f, \"name_s\": %.3f, \"attrs_s\": %.3f, "
	       "\"sync_s\": %.3f, \"wall_s\": %.3f, \"cpu_s\": %.3f}\n",
	       s.files, s.dirs, s.bytes, s.stage, s.name, s.attrs, s.sync,
	       wall_s() - begin, cpu_s() - cpu);
	ops->close(t);
	jb_tree_close(&tree);
	for (size_t i = 0; i < l.n; i++) {
		free(l.items[i].dir);
		free(l.items[i].name);
	}
	free(l.items);
	return 0;
}
