/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transports/local_room.h - is there room for one more file?
 *
 * A target is not filled to its last block: MinFree=, or a small reserve, is
 * left for names, directories and little files, so that a file that is too
 * large keeps nothing else from being up to date. Copies that run side by side
 * promise themselves what they are going to write.
 *
 * Lifecycle: init -> (take -> give)* -> fini. Any thread. */
#ifndef JB_TRANSPORTS_LOCAL_ROOM_H
#define JB_TRANSPORTS_LOCAL_ROOM_H

#include <pthread.h>
#include <stdint.h>

struct jb_local_room {
	pthread_mutex_t lock;
	pthread_cond_t given;
	uint64_t min_free; /* bytes; MinFree=, 0: the reserve alone */
	uint64_t promised; /* bytes */
};

void jb_local_room_init(struct jb_local_room *r, uint64_t min_free_bytes);
void jb_local_room_fini(struct jb_local_room *r);

/* How large a file may be that is written now, in the file system of @fd; 0 or
 * a negative errno. */
int jb_local_room_left(const struct jb_local_room *r, int fd, uint64_t *ret);

/* Promise @bytes to a file in the file system of @fd. Waits for other promises
 * where it depends on them. 0, -ENOSPC: there is no room, or another negative
 * errno. */
int jb_local_room_take(struct jb_local_room *r, int fd, uint64_t bytes);
/* They are written, or not going to be. */
void jb_local_room_give(struct jb_local_room *r, uint64_t bytes);

#endif
