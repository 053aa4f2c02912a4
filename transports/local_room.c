/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transports/local_room.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/statfs.h>
#include <unistd.h>

/* A hundredth of the file system, at most this. */
#define RESERVE_MAX (UINT64_C(64) << 20)
/* Files up to this size may use the reserve: it is there for them, too. */
#define LITTLE_MAX (UINT64_C(64) << 10)

struct space {
	uint64_t asked; /* bytes above MinFree=, as df counts them */
	uint64_t all;	/* bytes that this process can take */
	uint64_t left;	/* of these, without the reserve */
};

void jb_local_room_init(struct jb_local_room *r, uint64_t min_free_bytes)
{
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->given, NULL);
	r->min_free = min_free_bytes;
	r->promised = 0;
}

void jb_local_room_fini(struct jb_local_room *r)
{
	pthread_cond_destroy(&r->given);
	pthread_mutex_destroy(&r->lock);
}

static uint64_t without(uint64_t bytes, uint64_t less)
{
	return bytes > less ? bytes - less : 0;
}

static int measure(const struct jb_local_room *r, int fd, struct space *ret)
{
	uint64_t block, reserve;
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return -errno;
	block = (uint64_t)fs.f_bsize;
	reserve = (uint64_t)fs.f_blocks * block / 100;
	if (reserve > RESERVE_MAX)
		reserve = RESERVE_MAX;
	ret->asked = r->min_free == 0 ? UINT64_MAX
				      : without((uint64_t)fs.f_bavail * block,
						r->min_free);
	ret->all =
		(uint64_t)(geteuid() == 0 ? fs.f_bfree : fs.f_bavail) * block;
	ret->left = without(ret->all, reserve);
	return 0;
}

static bool has_room(const struct space *s, uint64_t bytes)
{
	uint64_t most = bytes > LITTLE_MAX ? s->left : s->all;

	return bytes <= most && bytes <= s->asked;
}

int jb_local_room_left(const struct jb_local_room *r, int fd, uint64_t *ret)
{
	struct space s;
	int rv = measure(r, fd, &s);

	if (rv == 0)
		*ret = s.left < s.asked ? s.left : s.asked;
	return rv;
}

int jb_local_room_take(struct jb_local_room *r, int fd, uint64_t bytes)
{
	struct space s;
	int rv;

	pthread_mutex_lock(&r->lock);
	while ((rv = measure(r, fd, &s)) == 0) {
		if (!has_room(&s, bytes)) {
			rv = -ENOSPC;
			break;
		}
		/* What was promised may be written already, so that it counts
		 * twice: only its end tells. */
		if (r->promised == 0 || has_room(&s, bytes + r->promised)) {
			r->promised += bytes;
			break;
		}
		pthread_cond_wait(&r->given, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return rv;
}

void jb_local_room_give(struct jb_local_room *r, uint64_t bytes)
{
	pthread_mutex_lock(&r->lock);
	r->promised -= bytes;
	pthread_cond_broadcast(&r->given);
	pthread_mutex_unlock(&r->lock);
}
