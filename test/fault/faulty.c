/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program itself, but that a call fails when it is told to:
 *
 *   JB_FAULT=KIND:N[+]      the N-th call of KIND fails; with + all from it on
 *   JB_FAULT_FIRED=FILE     made when that happens
 *   JB_FAULT_WHILE=FILE     no directory can be opened by its handle while it
 *                           is there
 *
 * KIND is alloc (malloc and its kin, SQLite's too), sqlite (what SQLite asks of
 * its files) or call (system calls of ours on files); kill is of both of these,
 * and the program dies before the call. Linked with --wrap, so that only the
 * program's own calls fail, not those of its libraries. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

enum kind { NONE, ALLOC, SQLITE, CALL, KILL };

static enum kind armed;
static bool lasting;
static atomic_long left;
static int error; /* what a call fails with */

static bool is_broken(const char *name)
{
	const char *path = getenv("JB_FAULT_WHILE");

	return path != NULL && strcmp(name, "open_by_handle_at") == 0 &&
	       access(path, F_OK) == 0;
}

static bool strikes(enum kind kind, const char *name)
{
	const char *path;
	long n, fd;

	if (kind == CALL && is_broken(name)) {
		errno = EIO;
		return true;
	}
	if (kind != armed && (armed != KILL || kind == ALLOC))
		return false;
	n = atomic_fetch_sub(&left, 1);
	if (n > 1 || (n < 1 && !lasting))
		return false;
	path = getenv("JB_FAULT_FIRED");
	if (n == 1 && path != NULL) {
		fd = syscall(SYS_openat, AT_FDCWD, path,
			     O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (fd >= 0)
			syscall(SYS_close, fd);
	}
	if (n == 1)
		dprintf(2, "faulty: %s() fails\n", name);
	if (armed == KILL)
		kill(getpid(), SIGKILL);
	errno = error;
	return true;
}

/* ---- memory */

#define WRAP(kind, type, name, parameters, arguments, failed)                  \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		if (strikes(kind, #name))                                      \
			return failed;                                         \
		return __real_##name arguments;                                \
	}

WRAP(ALLOC, void *, malloc, (size_t size), (size), NULL)
WRAP(ALLOC, void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP(ALLOC, void *, realloc, (void *p, size_t size), (p, size), NULL)
WRAP(ALLOC, void *, reallocarray, (void *p, size_t n, size_t size),
     (p, n, size), NULL)
WRAP(ALLOC, char *, strdup, (const char *s), (s), NULL)
WRAP(ALLOC, char *, strndup, (const char *s, size_t n), (s, n), NULL)

/* ---- system calls */

WRAP(CALL, int, statx,
     (int fd, const char *p, int flags, unsigned mask, struct statx *x),
     (fd, p, flags, mask, x), -1)
WRAP(CALL, int, fstat, (int fd, struct stat *st), (fd, st), -1)
WRAP(CALL, int, fstatfs, (int fd, struct statfs *st), (fd, st), -1)
WRAP(CALL, int, open_by_handle_at, (int fd, struct file_handle *h, int flags),
     (fd, h, flags), -1)
WRAP(CALL, int, name_to_handle_at,
     (int fd, const char *p, struct file_handle *h, int *mount, int flags),
     (fd, p, h, mount, flags), -1)
WRAP(CALL, ssize_t, getdents64, (int fd, void *p, size_t n), (fd, p, n), -1)
WRAP(CALL, ssize_t, pread, (int fd, void *p, size_t n, off_t at),
     (fd, p, n, at), -1)
WRAP(CALL, ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at),
     (fd, p, n, at), -1)
WRAP(CALL, ssize_t, sendfile, (int to, int from, off_t *at, size_t n),
     (to, from, at, n), -1)
WRAP(CALL, ssize_t, copy_file_range,
     (int a, off64_t *x, int b, off64_t *y, size_t n, unsigned flags),
     (a, x, b, y, n, flags), -1)
WRAP(CALL, int, renameat2,
     (int a, const char *p, int b, const char *q, unsigned flags),
     (a, p, b, q, flags), -1)
WRAP(CALL, int, linkat, (int a, const char *p, int b, const char *q, int flags),
     (a, p, b, q, flags), -1)
WRAP(CALL, int, unlinkat, (int fd, const char *p, int flags), (fd, p, flags),
     -1)
WRAP(CALL, int, mkdirat, (int fd, const char *p, mode_t mode), (fd, p, mode),
     -1)
WRAP(CALL, int, symlinkat, (const char *to, int fd, const char *p), (to, fd, p),
     -1)
WRAP(CALL, ssize_t, readlinkat, (int fd, const char *p, char *to, size_t n),
     (fd, p, to, n), -1)
WRAP(CALL, int, fchmod, (int fd, mode_t mode), (fd, mode), -1)
WRAP(CALL, int, fchownat,
     (int fd, const char *p, uid_t uid, gid_t gid, int flags),
     (fd, p, uid, gid, flags), -1)
WRAP(CALL, int, utimensat,
     (int fd, const char *p, const struct timespec *t, int flags),
     (fd, p, t, flags), -1)
WRAP(CALL, int, fsetxattr,
     (int fd, const char *name, const void *value, size_t n, int flags),
     (fd, name, value, n, flags), -1)
WRAP(CALL, ssize_t, fgetxattr,
     (int fd, const char *name, void *value, size_t n), (fd, name, value, n),
     -1)
WRAP(CALL, ssize_t, flistxattr, (int fd, char *names, size_t n), (fd, names, n),
     -1)
WRAP(CALL, int, fsync, (int fd), (fd), -1)
WRAP(CALL, int, syncfs, (int fd), (fd), -1)
WRAP(CALL, int, ftruncate, (int fd, off_t size), (fd, size), -1)
WRAP(CALL, DIR *, fdopendir, (int fd), (fd), NULL)

/* NOLINTBEGIN(bugprone-reserved-identifier): names of the linker's choice */
int __real_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return strikes(CALL, "openat") ? -1
				       : __real_openat(fd, path, flags, mode);
}

/* openat2() has no function of its own. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	va_list ap;
	long a[6];

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_openat2 && strikes(CALL, "openat2"))
		return -1;
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- SQLite's memory */

static sqlite3_mem_methods memory;

static void *shim_malloc(int n)
{
	return strikes(ALLOC, "xMalloc") ? NULL : memory.xMalloc(n);
}

static void *shim_realloc(void *p, int n)
{
	return strikes(ALLOC, "xRealloc") ? NULL : memory.xRealloc(p, n);
}

/* ---- SQLite's files */

struct shim_file {
	sqlite3_file base;
	sqlite3_file *real; /* behind this one, in the same memory */
};

static sqlite3_vfs *unix_vfs;

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct shim_file *)f)->real;
}

#define METHOD(name, parameters, arguments, failed)                            \
	static int shim_##name parameters                                      \
	{                                                                      \
		if (strikes(SQLITE, #name))                                    \
			return failed;                                         \
		return real_of(f)->pMethods->name arguments;                   \
	}
#define PASSED(type, name, parameters, arguments)                              \
	static type shim_##name parameters                                     \
	{                                                                      \
		return real_of(f)->pMethods->name arguments;                   \
	}

PASSED(int, xClose, (sqlite3_file * f), (real_of(f)))
METHOD(xRead, (sqlite3_file * f, void *p, int n, sqlite3_int64 at),
       (real_of(f), p, n, at), SQLITE_IOERR_READ)
METHOD(xWrite, (sqlite3_file * f, const void *p, int n, sqlite3_int64 at),
       (real_of(f), p, n, at),
       error == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE)
METHOD(xTruncate, (sqlite3_file * f, sqlite3_int64 size), (real_of(f), size),
       SQLITE_IOERR_TRUNCATE)
METHOD(xSync, (sqlite3_file * f, int flags), (real_of(f), flags),
       SQLITE_IOERR_FSYNC)
METHOD(xFileSize, (sqlite3_file * f, sqlite3_int64 *size), (real_of(f), size),
       SQLITE_IOERR_FSTAT)
METHOD(xLock, (sqlite3_file * f, int level), (real_of(f), level),
       SQLITE_IOERR_LOCK)
PASSED(int, xUnlock, (sqlite3_file * f, int level), (real_of(f), level))
PASSED(int, xCheckReservedLock, (sqlite3_file * f, int *held),
       (real_of(f), held))
PASSED(int, xFileControl, (sqlite3_file * f, int op, void *arg),
       (real_of(f), op, arg))
PASSED(int, xSectorSize, (sqlite3_file * f), (real_of(f)))
PASSED(int, xDeviceCharacteristics, (sqlite3_file * f), (real_of(f)))
METHOD(xShmMap,
       (sqlite3_file * f, int page, int size, int extend, void volatile **p),
       (real_of(f), page, size, extend, p), SQLITE_IOERR_SHMMAP)
METHOD(xShmLock, (sqlite3_file * f, int at, int n, int flags),
       (real_of(f), at, n, flags),
       (flags & SQLITE_SHM_UNLOCK) != 0
	       ? real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags)
	       : SQLITE_IOERR_SHMLOCK)
PASSED(void, xShmBarrier, (sqlite3_file * f), (real_of(f)))
PASSED(int, xShmUnmap, (sqlite3_file * f, int gone), (real_of(f), gone))

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = shim_xClose,
	.xRead = shim_xRead,
	.xWrite = shim_xWrite,
	.xTruncate = shim_xTruncate,
	.xSync = shim_xSync,
	.xFileSize = shim_xFileSize,
	.xLock = shim_xLock,
	.xUnlock = shim_xUnlock,
	.xCheckReservedLock = shim_xCheckReservedLock,
	.xFileControl = shim_xFileControl,
	.xSectorSize = shim_xSectorSize,
	.xDeviceCharacteristics = shim_xDeviceCharacteristics,
	.xShmMap = shim_xShmMap,
	.xShmLock = shim_xShmLock,
	.xShmBarrier = shim_xShmBarrier,
	.xShmUnmap = shim_xShmUnmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
		     int flags, int *out)
{
	struct shim_file *f = (struct shim_file *)file;
	int rc;

	(void)vfs;
	f->base.pMethods = NULL;
	f->real = (sqlite3_file *)(f + 1);
	if (strikes(SQLITE, "xOpen"))
		return SQLITE_CANTOPEN;
	rc = unix_vfs->xOpen(unix_vfs, name, f->real, flags, out);
	if (rc == SQLITE_OK)
		f->base.pMethods = &methods;
	return rc;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	if (strikes(SQLITE, "xDelete"))
		return SQLITE_IOERR_DELETE;
	return unix_vfs->xDelete(unix_vfs, name, sync);
}

static void shim_sqlite(void)
{
	static sqlite3_mem_methods wrapped;
	static sqlite3_vfs vfs;

	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory);
	wrapped = memory;
	wrapped.xMalloc = shim_malloc;
	wrapped.xRealloc = shim_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &wrapped);
	unix_vfs = sqlite3_vfs_find(NULL);
	if (unix_vfs == NULL)
		return;
	vfs = *unix_vfs;
	vfs.zName = "faulty";
	vfs.szOsFile += (int)sizeof(struct shim_file);
	vfs.xOpen = shim_open;
	vfs.xDelete = shim_delete;
	sqlite3_vfs_register(&vfs, 1);
}

__attribute__((constructor)) static void arm(void)
{
	static const char *const kinds[] = {[ALLOC] = "alloc:",
					    [SQLITE] = "sqlite:",
					    [CALL] = "call:",
					    [KILL] = "kill:"};
	const char *wanted = getenv("JB_FAULT");
	char *end;
	long n;

	shim_sqlite();
	if (wanted == NULL)
		return;
	for (int i = ALLOC; i <= KILL; i++) {
		size_t len = strlen(kinds[i]);

		if (strncmp(wanted, kinds[i], len) != 0)
			continue;
		n = strtol(wanted + len, &end, 10);
		lasting = *end == '+';
		error = i == ALLOC ? ENOMEM : n % 2 == 0 ? EIO : ENOSPC;
		atomic_store(&left, n);
		armed = (enum kind)i;
	}
}
