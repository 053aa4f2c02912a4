/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judge's own walk: by descriptors, so that paths may be longer than
 * PATH_MAX, and through no function of the program. */
#include "lib/t_judge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define WALK_MASK (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)

struct walk {
	sqlite3_stmt *insert; /* owned */
	dev_t device;
	uint64_t mount;
};

static int64_t ns_of(struct statx_timestamp t)
{
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* ext3 and ext4: the number, then the generation. */
static int64_t generation(int fd, const char *name, int flags)
{
	struct {
		struct file_handle h;
		uint32_t ino, generation;
		uint8_t more[MAX_HANDLE_SZ];
	} u;
	int mount;

	u.h.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(fd, name, &u.h, &mount, flags & AT_EMPTY_PATH) !=
		    0 ||
	    u.h.handle_type != 1)
		return 0;
	return -1 - (int64_t)u.generation;
}

bool t_identify(int fd, const char *name, struct t_id *id, struct statx *x)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;

	if (name[0] == '\0')
		flags |= AT_EMPTY_PATH;
	if (statx(fd, name, flags, WALK_MASK, x) != 0)
		return false;
	id->ino = x->stx_ino;
	id->birth = (x->stx_mask & STATX_BTIME) != 0
			    ? ns_of(x->stx_btime)
			    : generation(fd, name, flags);
	return true;
}

static struct t_id look(int fd, const char *name, struct statx *x)
{
	struct t_id id;

	if (!t_identify(fd, name, &id, x))
		fail_msg("walk: statx %s: %s (does somebody still write?)",
			 name, strerror(errno));
	return id;
}

static bool is_elsewhere(const struct walk *w, const struct statx *x)
{
	return x->stx_mnt_id != w->mount ||
	       makedev(x->stx_dev_major, x->stx_dev_minor) != w->device;
}

static void insert_name(struct walk *w, struct t_id dir, const char *name,
			struct t_id id, const struct statx *x)
{
	const int64_t values[] = {
		(int64_t)id.ino,
		id.birth,
		x->stx_mode,
		x->stx_uid,
		x->stx_gid,
		x->stx_nlink,
		(int64_t)makedev(x->stx_rdev_major, x->stx_rdev_minor),
		(int64_t)x->stx_size,
		ns_of(x->stx_mtime),
		ns_of(x->stx_ctime),
		is_elsewhere(w, x),
	};
	int i;

	sqlite3_bind_int64(w->insert, 1, (sqlite3_int64)dir.ino);
	sqlite3_bind_int64(w->insert, 2, dir.birth);
	sqlite3_bind_blob(w->insert, 3, name, (int)strlen(name),
			  SQLITE_TRANSIENT);
	for (i = 0; i < 11; i++)
		sqlite3_bind_int64(w->insert, 4 + i, values[i]);
	assert_int_equal(sqlite3_step(w->insert), SQLITE_DONE);
	sqlite3_reset(w->insert);
}

/* The names of @fd's directory; then down into those that are directories. */
static void walk_directory(struct walk *w, int fd, struct t_id dir)
{
	DIR *d = fdopendir(dup(fd));
	char **below = NULL;
	size_t n = 0, i;
	struct dirent *e;
	struct statx x;
	struct t_id id;
	int sub;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		id = look(fd, e->d_name, &x);
		insert_name(w, dir, e->d_name, id, &x);
		if (!S_ISDIR(x.stx_mode) || is_elsewhere(w, &x))
			continue;
		below = realloc(below, (n + 1) * sizeof *below);
		assert_non_null(below);
		below[n++] = strdup(e->d_name);
	}
	closedir(d);
	for (i = 0; i < n; i++) {
		sub = openat(fd, below[i],
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		assert_true(sub >= 0);
		walk_directory(w, sub, look(sub, "", &x));
		close(sub);
		free(below[i]);
	}
	free(below);
}

void t_judge_walk(struct t_judge *j, const char *name, const char *path)
{
	struct walk w;
	struct statx x;
	struct t_id top;
	int fd;

	t_judge_exec(j, "DROP TABLE IF EXISTS \"%s\"", name);
	t_judge_exec(j,
		     "CREATE TABLE \"%s\"(dino INT, dbirth INT, name BLOB,"
		     " ino INT, birth INT, mode INT, uid INT, gid INT,"
		     " nlink INT, rdev INT, size INT, mtime INT, ctime INT,"
		     " mount INT)",
		     name);
	w.insert = t_judge_prepare(
		j, "INSERT INTO \"%s\" VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("walk %s: %s", path, strerror(errno));
	top = look(fd, "", &x);
	w.device = makedev(x.stx_dev_major, x.stx_dev_minor);
	w.mount = x.stx_mnt_id;
	t_judge_exec(j, "BEGIN");
	walk_directory(&w, fd, top);
	t_judge_exec(j, "COMMIT");
	close(fd);
	sqlite3_finalize(w.insert);
	t_judge_exec(j,
		     "CREATE INDEX \"%s_place\" ON \"%s\"(dino, dbirth, name);"
		     "CREATE INDEX \"%s_id\" ON \"%s\"(ino, birth)",
		     name, name, name, name);
}
