/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transports/local_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>
#include <xxhash.h>

/* Below this one read and one write are cheapest. */
#define DIRECT_MAX JB_COPY_BUFFER
/* How much goes between two looks at the stop flag. */
#define STRIDE (8 * 1024 * 1024)
/* From here on the disk begins at once, since a sync is to come. */
#define BEGIN_MIN (512 * 1024)
/* From here on the blocks are asked for at once. */
#define ALLOCATE_MIN (64 * 1024 * 1024)
/* What is compared at once with the old version. */
#define BLOCK (128 * 1024)

static bool is_stopped(const struct jb_copy *c)
{
	return atomic_load_explicit(c->stopped, memory_order_relaxed);
}

/* Never again between these two file systems? */
static bool is_lasting(int errnum)
{
	return errnum == EXDEV || errnum == EOPNOTSUPP || errnum == ENOTTY ||
	       errnum == ENOSYS;
}

static int read_error(struct jb_copy *c)
{
	c->at_source = true;
	return -errno;
}

/* Up to @len bytes at @offset; fewer only at the end of the file. */
static ssize_t read_full(int fd, char *data, size_t len, int64_t offset)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, data + done, len - done, offset + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int write_full(int fd, const char *data, size_t len, int64_t offset)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pwrite(fd, data + done, len - done, offset + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

static int copy_by_buffer(struct jb_copy *c, int64_t begin, int64_t end,
			  XXH3_state_t *hash)
{
	ssize_t n;
	size_t len;
	int rv;

	while (begin < end) {
		if (is_stopped(c))
			return -ECANCELED;
		len = end - begin < JB_COPY_BUFFER ? (size_t)(end - begin)
						   : JB_COPY_BUFFER;
		n = read_full(c->from, c->buffer, len, begin);
		if (n < 0)
			return read_error(c);
		if (hash != NULL)
			XXH3_128bits_update(hash, c->buffer, (size_t)n);
		rv = write_full(c->to, c->buffer, (size_t)n, begin);
		if (rv < 0)
			return rv;
		c->written += n;
		begin += n;
		if ((size_t)n < len) {
			c->is_short = true;
			return 0;
		}
	}
	return 0;
}

/* Both move up to STRIDE bytes within the kernel and return as read() does. */
static ssize_t move_range(struct jb_copy *c, int64_t begin, size_t len)
{
	off_t from = begin, to = begin;

	return copy_file_range(c->from, &from, c->to, &to, len, 0);
}

static ssize_t move_sendfile(struct jb_copy *c, int64_t begin, size_t len)
{
	off_t from = begin;

	if (lseek(c->to, begin, SEEK_SET) < 0)
		return -1;
	return sendfile(c->to, c->from, &from, len);
}

typedef ssize_t move_fn(struct jb_copy *c, int64_t begin, size_t len);

/* *begin moves as far as it went. 1: this way does not work here. Which side
 * an EIO is of can't be told: then the buffer's way finds out. */
static int copy_by_kernel(struct jb_copy *c, move_fn *move, atomic_bool *no,
			  int64_t *begin, int64_t end)
{
	ssize_t n;

	while (*begin < end) {
		if (is_stopped(c))
			return -ECANCELED;
		n = move(c, *begin,
			 end - *begin < STRIDE ? (size_t)(end - *begin)
					       : STRIDE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && is_lasting(errno))
			atomic_store(no, true);
		if (n <= 0)
			return 1;
		c->written += n;
		*begin += n;
	}
	return 0;
}

static int copy_segment(struct jb_copy *c, int64_t begin, int64_t end)
{
	int rv = 1;

	if (end - begin > DIRECT_MAX) {
		if (!atomic_load(&c->pair->no_range))
			rv = copy_by_kernel(c, move_range, &c->pair->no_range,
					    &begin, end);
		if (rv == 1 && !atomic_load(&c->pair->no_sendfile))
			rv = copy_by_kernel(c, move_sendfile,
					    &c->pair->no_sendfile, &begin, end);
	}
	return rv == 1 ? copy_by_buffer(c, begin, end, NULL) : rv;
}

/* A hole counts as zeros. */
static void hash_zeros(struct jb_copy *c, XXH3_state_t *hash, int64_t len)
{
	size_t part;

	if (len == 0)
		return;
	memset(c->buffer, 0, JB_COPY_BUFFER);
	for (; len > 0; len -= (int64_t)part) {
		part = len < JB_COPY_BUFFER ? (size_t)len : JB_COPY_BUFFER;
		XXH3_128bits_update(hash, c->buffer, part);
	}
}

/* *data and *hole: the next run of data at or after @at. */
static int find_run(struct jb_copy *c, int64_t at, int64_t *data, int64_t *hole)
{
	*data = lseek(c->from, at, SEEK_DATA);
	if (*data < 0 && errno == ENXIO) {
		*data = *hole = c->size;
		return 0;
	}
	if (*data >= 0)
		*hole = lseek(c->from, *data, SEEK_HOLE);
	if (*data < 0 || *hole < 0) {
		if (errno != EINVAL && errno != EOPNOTSUPP)
			return read_error(c);
		*data = at;
		*hole = c->size;
	}
	if (*data > c->size)
		*data = c->size;
	if (*hole > c->size)
		*hole = c->size;
	return 0;
}

static int copy_runs(struct jb_copy *c, XXH3_state_t *hash)
{
	int64_t at = 0, data = 0, hole = c->size;
	int rv = 0;

	while (rv == 0 && at < c->size && !c->is_short) {
		if (c->is_sparse)
			rv = find_run(c, at, &data, &hole);
		if (rv == 0 && hash != NULL)
			hash_zeros(c, hash, data - at);
		if (rv == 0 && hash != NULL)
			rv = copy_by_buffer(c, data, hole, hash);
		else if (rv == 0)
			rv = copy_segment(c, data, hole);
		at = data = hole;
	}
	if (rv == 0 && c->is_sparse && ftruncate(c->to, c->size) < 0)
		rv = -errno;
	return rv;
}

bool jb_copy_can_clone(int to, int from)
{
	return ioctl(to, FICLONE, from) == 0;
}

static bool clone_file(int to, int from, atomic_bool *no)
{
	if (atomic_load(no))
		return false;
	if (ioctl(to, FICLONE, from) == 0)
		return true;
	if (is_lasting(errno))
		atomic_store(no, true);
	return false;
}

/* @to is a clone of the old version: write only the blocks that differ. */
static int rewrite_blocks(struct jb_copy *c, XXH3_state_t *hash)
{
	char *mine = c->buffer, *theirs = c->buffer + JB_COPY_BUFFER;
	ssize_t n, m;
	int rv;

	for (int64_t at = 0; at < c->size; at += n) {
		if (is_stopped(c))
			return -ECANCELED;
		n = read_full(c->from, mine,
			      c->size - at < BLOCK ? (size_t)(c->size - at)
						   : BLOCK,
			      at);
		if (n < 0)
			return read_error(c);
		if (hash != NULL)
			XXH3_128bits_update(hash, mine, (size_t)n);
		m = read_full(c->to, theirs, (size_t)n, at);
		if (m != n || memcmp(mine, theirs, (size_t)n) != 0) {
			rv = write_full(c->to, mine, (size_t)n, at);
			if (rv < 0)
				return rv;
			c->written += n;
		}
		if (n == 0 || (n < BLOCK && at + n < c->size)) {
			c->is_short = true;
			return 0;
		}
	}
	return ftruncate(c->to, c->size) < 0 ? -errno : 0;
}

/* A disk that is nearly full says so before the work, not after it; so does a
 * quota, which the free room doesn't show. */
static int allocate(struct jb_copy *c)
{
	if (c->size < ALLOCATE_MIN || c->is_sparse ||
	    atomic_load(&c->pair->no_allocate))
		return 0;
	if (fallocate(c->to, FALLOC_FL_KEEP_SIZE, 0, c->size) == 0)
		return 0;
	if (errno == ENOSPC || errno == EDQUOT || errno == EIO)
		return -errno;
	if (is_lasting(errno))
		atomic_store(&c->pair->no_allocate, true);
	return 0;
}

static XXH3_state_t *begin_hash(void)
{
	XXH3_state_t *state = XXH3_createState();

	if (state != NULL)
		XXH3_128bits_reset(state);
	return state;
}

static struct jb_hash digest(const XXH3_state_t *state)
{
	XXH128_hash_t h = XXH3_128bits_digest(state);

	return (struct jb_hash){.low = h.low64, .high = h.high64};
}

static int fill(struct jb_copy *c, XXH3_state_t *hash)
{
	int rv;

	if (c->old >= 0 && c->size >= JB_COPY_BLOCKS_MIN && !c->is_sparse &&
	    clone_file(c->to, c->old, &c->pair->no_own_clone))
		return rewrite_blocks(c, hash);
	rv = jb_local_room_take(c->room, c->to, c->need);
	if (rv < 0)
		return rv;
	rv = allocate(c);
	if (rv == 0)
		rv = copy_runs(c, hash);
	jb_local_room_give(c->room, c->need);
	return rv;
}

int jb_copy_data(struct jb_copy *c)
{
	XXH3_state_t *hash = NULL;
	int rv;

	c->written = 0;
	c->at_source = c->is_short = false;
	if (c->size > DIRECT_MAX &&
	    clone_file(c->to, c->from, &c->pair->no_clone))
		return c->want_hash ? jb_copy_hash(c->to, c->buffer, c->stopped,
						   &c->hash)
				    : 0;
	if (c->want_hash) {
		hash = begin_hash();
		if (hash == NULL)
			return -ENOMEM;
	}
	rv = c->size > 0 ? fill(c, hash) : 0;
	if (rv == 0 && c->written >= BEGIN_MIN)
		sync_file_range(c->to, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (hash != NULL)
		c->hash = digest(hash);
	XXH3_freeState(hash);
	return rv;
}

int jb_copy_more(struct jb_copy *c, int64_t size)
{
	int64_t begin = c->size;
	uint64_t more = (uint64_t)(size - begin);
	int rv = jb_local_room_take(c->room, c->to, more);

	if (rv < 0)
		return rv;
	c->size = size;
	rv = copy_by_buffer(c, begin, size, NULL);
	jb_local_room_give(c->room, more);
	return rv;
}

static int compare_all(struct jb_copy *c, XXH3_state_t *hash)
{
	char *theirs = c->buffer, *mine = c->buffer + JB_COPY_BUFFER;
	ssize_t n, m;
	size_t len;

	for (int64_t at = 0; at < c->size; at += n) {
		if (is_stopped(c))
			return -ECANCELED;
		len = c->size - at < JB_COPY_BUFFER ? (size_t)(c->size - at)
						    : JB_COPY_BUFFER;
		n = read_full(c->from, theirs, len, at);
		if (n < 0)
			return read_error(c);
		m = read_full(c->to, mine, len, at);
		if (m < 0)
			return -errno;
		if (n != m || n == 0 || memcmp(theirs, mine, (size_t)n) != 0)
			return 0;
		if (hash != NULL)
			XXH3_128bits_update(hash, theirs, (size_t)n);
	}
	return 1;
}

int jb_copy_prove(struct jb_copy *c)
{
	XXH3_state_t *hash = NULL;
	int rv;

	c->at_source = false;
	if (c->want_hash) {
		hash = begin_hash();
		if (hash == NULL)
			return -ENOMEM;
	}
	rv = compare_all(c, hash);
	if (hash != NULL)
		c->hash = digest(hash);
	XXH3_freeState(hash);
	if (rv == 1 && ftruncate(c->to, c->size) < 0)
		return -errno;
	return rv;
}

int jb_copy_hash(int fd, char *buffer, const atomic_bool *stopped,
		 struct jb_hash *ret)
{
	XXH3_state_t *state = begin_hash();
	int64_t at = 0;
	ssize_t n;
	int rv = 0;

	if (state == NULL)
		return -ENOMEM;
	do {
		n = read_full(fd, buffer, JB_COPY_BUFFER, at);
		if (n < 0)
			rv = -errno;
		else if (stopped != NULL && atomic_load(stopped))
			rv = -ECANCELED;
		else
			XXH3_128bits_update(state, buffer, (size_t)n);
		at += n;
	} while (rv == 0 && n == JB_COPY_BUFFER);
	if (rv == 0)
		*ret = digest(state);
	XXH3_freeState(state);
	return rv;
}
