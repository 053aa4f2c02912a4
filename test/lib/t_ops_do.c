/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_ops_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NO_WAIT (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)

/* Where an operation happens: mostly in the root, sometimes beside it. */
static int choose_base(struct t_worker *w)
{
	if (w->ops->outside >= 0 && t_random_below(&w->random, 8) == 0)
		return w->ops->outside;
	return w->ops->root;
}

static void scribble(struct t_worker *w, int fd, size_t most)
{
	char text[4096];
	size_t n = 1 + t_random_below(&w->random, (unsigned)most);

	memset(text, 'a' + (int)t_random_below(&w->random, 26), sizeof text);
	if (write(fd, text, n < sizeof text ? n : sizeof text) > 0)
		t_ops_note_written(w, fd);
}

static bool do_create(struct t_worker *w, struct t_place *p)
{
	int fd = openat(p->dir, p->name, O_WRONLY | O_CREAT | O_EXCL | NO_WAIT,
			0644);

	if (fd < 0)
		return false;
	t_ops_note_born(w, p, fd);
	if (t_random_below(&w->random, 3) > 0)
		scribble(w, fd, 3000);
	close(fd);
	return true;
}

static bool do_write(struct t_worker *w, struct t_place *p)
{
	static const int how[] = {0, O_APPEND, O_TRUNC};
	int fd =
		openat(p->dir, p->name,
		       O_WRONLY | NO_WAIT | how[t_random_below(&w->random, 3)]);

	if (fd < 0)
		return false;
	scribble(w, fd, 4096);
	close(fd);
	return true;
}

static bool do_truncate(struct t_worker *w, struct t_place *p)
{
	int fd = openat(p->dir, p->name, O_WRONLY | NO_WAIT);

	if (fd < 0)
		return false;
	if (ftruncate(fd, t_random_below(&w->random, 100000)) == 0)
		t_ops_note_written(w, fd);
	close(fd);
	return true;
}

static bool do_mmap(struct t_worker *w, struct t_place *p)
{
	int fd = openat(p->dir, p->name, O_RDWR | NO_WAIT);
	struct stat st;
	char *map;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size == 0) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED) {
		/* Another thread may shorten the file: then the page is gone,
		 * and the kernel's hand fails where ours would be killed. */
		if (getrandom(map, 1, 0) == 1)
			t_ops_note_written(w, fd);
		munmap(map, 1);
	}
	close(fd);
	return true;
}

/* Keep it open and write to it some operations later, wherever it is then. */
static bool do_hold(struct t_worker *w, struct t_place *p)
{
	unsigned i = t_random_below(&w->random, T_HELD);

	if (w->ops->o.links && !w->ops->o.nameless)
		return false; /* its name may go and another one stay */
	if (w->held[i] >= 0) {
		scribble(w, w->held[i], 500);
		if (t_random_below(&w->random, 2) == 0) {
			close(w->held[i]);
			w->held[i] = -1;
		}
		return true;
	}
	w->held[i] = openat(p->dir, p->name, O_WRONLY | O_APPEND | NO_WAIT);
	return w->held[i] >= 0;
}

static bool do_mkdir(struct t_worker *w, struct t_place *p)
{
	if (mkdirat(p->dir, p->name, 0755) != 0)
		return false;
	t_ops_note_born(w, p, -1);
	return true;
}

/* mkdir -p of some levels with a leaf in each. */
static bool do_nest(struct t_worker *w, struct t_place *p)
{
	unsigned levels = 1 + t_random_below(&w->random, 5);
	struct t_place q = {fcntl(p->dir, F_DUPFD_CLOEXEC, 0), p->name}, leaf;
	bool did = false;
	int below;

	while (levels-- > 0 && q.dir >= 0) {
		did = do_mkdir(w, &q) || did;
		below = openat(q.dir, q.name, O_PATH | O_DIRECTORY | NO_WAIT);
		close(q.dir);
		q.dir = below;
		q.name = t_ops_name(w);
		leaf = (struct t_place){below, t_ops_name(w)};
		if (below >= 0)
			do_create(w, &leaf);
	}
	if (q.dir >= 0)
		close(q.dir);
	return did;
}

/* A directory of many files, made at once. */
static bool do_crowd(struct t_worker *w, struct t_place *p)
{
	unsigned n = 20 + t_random_below(&w->random, 100), i;
	struct t_place q;
	char name[16];

	if (!do_mkdir(w, p))
		return false;
	q.dir = openat(p->dir, p->name, O_PATH | O_DIRECTORY | NO_WAIT);
	q.name = name;
	for (i = 0; i < n && q.dir >= 0; i++) {
		snprintf(name, sizeof name, "f%03u", i);
		do_create(w, &q);
	}
	if (q.dir >= 0)
		close(q.dir);
	return true;
}

/* A chain of directories whose path is longer than PATH_MAX. */
static bool do_deep(struct t_worker *w, struct t_place *p)
{
	struct t_place q = {-1, p->name};
	char name[251];
	int i, below;

	if (w->ops->o.shallow || t_random_below(&w->random, 10) != 0)
		return false;
	q.dir = fcntl(p->dir, F_DUPFD_CLOEXEC, 0);
	memset(name, 'd', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (i = 0; i < 20 && q.dir >= 0; i++) {
		do_mkdir(w, &q);
		below = openat(q.dir, q.name, O_PATH | O_DIRECTORY | NO_WAIT);
		close(q.dir);
		q.dir = below;
		q.name = name;
	}
	if (q.dir < 0)
		return true;
	do_create(w, &q);
	close(q.dir);
	return true;
}

static bool do_unlink(struct t_worker *w, struct t_place *p)
{
	(void)w;
	return unlinkat(p->dir, p->name, 0) == 0;
}

static bool do_rmdir(struct t_worker *w, struct t_place *p)
{
	(void)w;
	return unlinkat(p->dir, p->name, AT_REMOVEDIR) == 0;
}

void t_ops_remove_tree(int dir, const char *name)
{
	struct dirent *e;
	DIR *d;
	int fd;

	if (unlinkat(dir, name, 0) == 0)
		return;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | NO_WAIT);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			t_ops_remove_tree(fd, e->d_name);
	if (d != NULL)
		closedir(d);
	unlinkat(dir, name, AT_REMOVEDIR);
}

static bool do_remove_tree(struct t_worker *w, struct t_place *p)
{
	if (t_random_below(&w->random, 4) != 0)
		return false;
	t_ops_remove_tree(p->dir, p->name);
	return true;
}

static bool do_symlink(struct t_worker *w, struct t_place *p)
{
	if (symlinkat(t_ops_name(w), p->dir, p->name) != 0)
		return false;
	t_ops_note_born(w, p, -1);
	return true;
}

static bool do_node(struct t_worker *w, struct t_place *p)
{
	static const mode_t kinds[] = {S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK};
	mode_t kind = kinds[t_random_below(&w->random, 4)];

	if (mknodat(p->dir, p->name, kind | 0600, makedev(1, 3)) != 0)
		return false;
	t_ops_note_born(w, p, -1);
	return true;
}

static bool do_chmod(struct t_worker *w, struct t_place *p)
{
	static const mode_t modes[] = {0600, 0644, 0755, 0700, 04755, 01777};

	return fchmodat(p->dir, p->name, modes[t_random_below(&w->random, 6)],
			0) == 0;
}

static bool do_chown(struct t_worker *w, struct t_place *p)
{
	return fchownat(p->dir, p->name, t_random_below(&w->random, 5),
			t_random_below(&w->random, 5),
			AT_SYMLINK_NOFOLLOW) == 0;
}

static bool do_utimes(struct t_worker *w, struct t_place *p)
{
	/* Also the far future: an NFSv4 exclusive create showed such a date. */
	static const time_t seconds[] = {0, 1000000000, 1700000000, 4294967295};
	struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}};

	t[1].tv_sec = seconds[t_random_below(&w->random, 4)];
	t[1].tv_nsec = t_random_below(&w->random, 1000000);
	return utimensat(p->dir, p->name, t, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool do_xattr(struct t_worker *w, struct t_place *p)
{
	int fd = openat(p->dir, p->name, O_RDONLY | NO_WAIT);
	char value[32];
	bool did;

	if (fd < 0)
		return false;
	snprintf(value, sizeof value, "%u", t_random_below(&w->random, 1000));
	did = t_random_below(&w->random, 3) == 0
		      ? fremovexattr(fd, "user.jb") == 0
		      : fsetxattr(fd, "user.jb", value, strlen(value), 0) == 0;
	close(fd);
	return did;
}

/* A file without a name gets one, and is written afterwards. */
static bool do_tmpfile(struct t_worker *w, struct t_place *p)
{
	int dir = openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1
			 : openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC,
				  0600);
	char proc[32];
	bool did = false;

	if (dir >= 0)
		close(dir);
	if (fd < 0)
		return false;
	scribble(w, fd, 1000);
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, proc, p->dir, p->name, AT_SYMLINK_FOLLOW) == 0) {
		t_ops_note_born(w, p, fd);
		did = true;
		if (w->ops->o.nameless)
			scribble(w, fd, 1000);
	}
	close(fd);
	return did;
}

/* How editors save: write beside it, rename over it. */
static bool do_save(struct t_worker *w, struct t_place *p)
{
	struct t_place beside = {p->dir, ".save.tmp"};

	if (!do_create(w, &beside))
		return false;
	return renameat(p->dir, beside.name, p->dir, p->name) == 0;
}

static bool do_rename(struct t_worker *w, struct t_place *p)
{
	static const unsigned how[] = {0, 0, 0, RENAME_NOREPLACE,
				       RENAME_EXCHANGE};
	bool inside = t_random_below(&w->random, 8) != 0;
	int base =
		w->ops->outside < 0 || inside ? w->ops->root : w->ops->outside;
	struct t_place q, from;
	bool did;

	/* Both ends on one side of the border: do_cross() crosses it. */
	t_ops_pick(w, base, &from);
	t_ops_pick(w, base, &q);
	t_ops_say(w, "rename", &from, &q);
	did = renameat2(from.dir, from.name, q.dir, q.name,
			how[t_random_below(&w->random, 5)]) == 0;
	if (did)
		t_ops_note_moved(w, &from, &q);
	t_ops_drop(&from);
	t_ops_drop(&q);
	(void)p;
	return did;
}

/* By a descriptor: what is noted is what gets the name, though others rename
 * and delete meanwhile. */
static bool do_link(struct t_worker *w, struct t_place *p)
{
	struct t_place q;
	char proc[32];
	bool did;
	int fd;

	if (!w->ops->o.links)
		return false;
	t_ops_pick(w, w->ops->o.nameless ? choose_base(w) : w->ops->root, &q);
	t_ops_say(w, "link", p, &q);
	fd = openat(p->dir, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	t_ops_note_linked(w, fd);
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	did = linkat(AT_FDCWD, proc, q.dir, q.name, AT_SYMLINK_FOLLOW) == 0;
	if (fd >= 0)
		close(fd);
	t_ops_drop(&q);
	return did;
}

/* Into the root or out of it, in either direction or both at once. */
static bool do_cross(struct t_worker *w)
{
	unsigned how = t_random_below(&w->random, 7);
	struct t_place in, out;
	int rv;

	t_ops_pick(w, w->ops->root, &in);
	t_ops_pick(w, w->ops->outside, &out);
	t_ops_say(w, how == 0 ? "exchange" : "cross", how < 4 ? &in : &out,
		  how < 4 ? &out : &in);
	if (how != 0)
		t_ops_note_crossing(w, how < 4 ? &in : &out);
	if (how == 0) {
		t_ops_note_crossing(w, &in);
		t_ops_note_crossing(w, &out);
		rv = renameat2(in.dir, in.name, out.dir, out.name,
			       RENAME_EXCHANGE);
	} else if (how < 4) {
		rv = renameat(in.dir, in.name, out.dir, out.name);
	} else {
		rv = renameat(out.dir, out.name, in.dir, in.name);
	}
	t_ops_drop(&in);
	t_ops_drop(&out);
	return rv == 0;
}

#define OPERATION(verb, weight)                                                \
	{                                                                      \
#verb, do_##verb, weight                                       \
	}

static const struct {
	const char *name;
	bool (*run)(struct t_worker *w, struct t_place *p);
	unsigned weight;
} operations[] = {
	OPERATION(create, 14), OPERATION(write, 14), OPERATION(truncate, 3),
	OPERATION(mmap, 4),    OPERATION(hold, 6),   OPERATION(mkdir, 8),
	OPERATION(nest, 5),    OPERATION(crowd, 1),  OPERATION(deep, 1),
	OPERATION(unlink, 8),  OPERATION(rmdir, 4),  OPERATION(remove_tree, 2),
	OPERATION(symlink, 2), OPERATION(node, 2),   OPERATION(chmod, 3),
	OPERATION(chown, 2),   OPERATION(utimes, 3), OPERATION(xattr, 2),
	OPERATION(tmpfile, 3), OPERATION(save, 5),   OPERATION(rename, 24),
	OPERATION(link, 5),
};

static unsigned total_weight(void)
{
	unsigned sum = 0, i;

	for (i = 0; i < sizeof operations / sizeof operations[0]; i++)
		sum += operations[i].weight;
	return sum;
}

static bool do_one(struct t_worker *w)
{
	unsigned i = 0, at = t_random_below(&w->random, total_weight());
	struct t_place p;
	bool did;

	while (at >= operations[i].weight)
		at -= operations[i++].weight;
	/* Without the objects' ids a second name must not leave the root. */
	t_ops_pick(w,
		   operations[i].run == do_link && !w->ops->o.nameless
			   ? w->ops->root
			   : choose_base(w),
		   &p);
	if (operations[i].run != do_rename && operations[i].run != do_link)
		t_ops_say(w, operations[i].name, &p, NULL);
	did = operations[i].run(w, &p);
	t_ops_drop(&p);
	return did;
}

bool t_ops_do(struct t_worker *w)
{
	bool cross =
		w->ops->outside >= 0 && t_random_below(&w->random, 100) == 0;
	bool did;

	if (cross)
		pthread_rwlock_wrlock(&w->ops->border);
	else
		pthread_rwlock_rdlock(&w->ops->border);
	did = cross ? do_cross(w) : do_one(w);
	pthread_rwlock_unlock(&w->ops->border);
	return did;
}
