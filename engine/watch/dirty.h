/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/watch/dirty.h - the dirty set: which places the recorder is to look
 * at.
 *
 * A place is (directory, name), a whole directory ('list it'), a directory
 * itself, or an inode where the event had no name. Memory is bounded: too many
 * names become 'list it', too many directories become 'scan everything', and
 * nothing is forgotten.
 *
 * Lifecycle: init -> add* -> (given to the recorder) read -> clear or fini.
 * One owner at a time: the loop thread fills it, hands it over, and gets it
 * back empty. */
#ifndef JB_WATCH_DIRTY_H
#define JB_WATCH_DIRTY_H

#include "engine/tree/handle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JB_DIRTY_MAX_PLACES (1u << 18)
#define JB_DIRTY_MAX_DIRS   (1u << 17)
#define JB_DIRTY_MAX_INOS   (1u << 19)
#define JB_DIRTY_MAX_BEYOND (1u << 16)
#define JB_DIRTY_MAX_NAMES  (16u << 20) /* bytes of all names */
#define JB_SOURCES	    2		/* fanotify, inotify */

/* Bits of a place and of a directory. */
enum jb_dirty_flag {
	JB_DIRTY_EVENT = 1,    /* an event said so (else only a scan) */
	JB_DIRTY_CONTENT = 2,  /* written, known by place only (inotify) */
	JB_DIRTY_ATTRIB = 4,   /* attributes changed */
	JB_DIRTY_LIST = 8,     /* directory: look at all its names */
	JB_DIRTY_SELF = 16,    /* directory: look at its own place */
	JB_DIRTY_LOSSY = 32,   /* doubtful times count as a change */
	JB_DIRTY_FROM = 64,    /* moved away from here */
	JB_DIRTY_BORN = 128,   /* created here (inotify) */
	JB_DIRTY_PATROL = 256, /* a patrol found it different */
};

/* Who told of a place; neither: a scan. */
#define JB_DIRTY_WHO (JB_DIRTY_EVENT | JB_DIRTY_PATROL)

/* Bits of an inode. */
enum jb_dirty_ino {
	JB_INO_CONTENT = 1, /* MODIFY */
	JB_INO_LOOK = 2,    /* look at all its names */
	JB_INO_MOVED = 4,   /* RENAME */
	JB_INO_ATTRIB = 8,
	JB_INO_SEEN = 16,    /* recorder: looked at, all its names with it */
	JB_INO_WRITTEN = 32, /* recorder: its content is in the journal */
};

/* Why everything must be scanned. */
enum jb_loss {
	JB_LOSS_NONE,
	JB_LOSS_OVERFLOW, /* the kernel's queue was full */
	JB_LOSS_TOO_MANY, /* our own bound */
	JB_LOSS_MEMORY,
};

/* Several objects, or an event that did not tell. */
#define JB_DIRTY_SEVERAL UINT64_MAX

struct jb_dirty_place {
	uint64_t ino;  /* the object of all its events, or SEVERAL */
	uint32_t next; /* in its directory, index + 1 */
	uint32_t dir;  /* index of its directory */
	uint32_t name; /* offset in names */
	uint8_t len;
	uint16_t flags;
};

struct jb_dirty_dir {
	uint64_t key;
	uint32_t first; /* its places, index + 1 */
	uint32_t count;
	uint16_t flags;
};

struct jb_dirty_inode {
	uint64_t ino; /* 0: free slot */
	uint8_t fs;
	uint8_t flags;
};

/* A RENAME put @ino into a directory that the map does not know. */
struct jb_dirty_beyond {
	uint64_t ino;
	uint8_t fs;
	struct jb_handle handle;
};

struct jb_dirty {
	struct jb_dirty_place *places; /* owned; places[0 .. n_places) */
	uint32_t n_places, cap_places;
	uint32_t *place_slots; /* owned; hash -> index + 1 */
	uint32_t n_place_slots;
	struct jb_dirty_dir *dirs; /* owned */
	uint32_t n_dirs, cap_dirs;
	uint32_t *dir_slots; /* owned; hash -> index + 1 */
	uint32_t n_dir_slots;
	char *names; /* owned; all names, no separators */
	size_t names_len, names_size;
	struct jb_dirty_inode *inos; /* owned; a hash table */
	uint32_t n_inos, size_inos;
	struct jb_dirty_beyond *beyond; /* owned */
	uint32_t n_beyond, cap_beyond;
	enum jb_loss loss; /* everything is to be scanned */
	bool moved_unseen; /* recorder, inotify: somebody unknown passed */
	uint64_t upto[JB_SOURCES]; /* how far each queue was read */
	uint32_t credits;	   /* messages of scans that it holds */
	bool poked;		   /* the recorder has messages to read */
	uint64_t no;		   /* number of the batch, once handed over */
};

int jb_dirty_init(struct jb_dirty *d, struct jb_error *err);
void jb_dirty_fini(struct jb_dirty *d);

/* Empty it; most of the memory is kept. */
void jb_dirty_clear(struct jb_dirty *d);

bool jb_dirty_any(const struct jb_dirty *d);

/* None of these fails: without memory the set becomes 'scan everything'.
 * @ino: the object that the event was about, 0 if it did not tell. */
void jb_dirty_add(struct jb_dirty *d, uint64_t dir, const char *name,
		  size_t len, uint64_t ino, unsigned flags);
void jb_dirty_add_dir(struct jb_dirty *d, uint64_t dir, unsigned flags);
void jb_dirty_add_ino(struct jb_dirty *d, uint8_t fs, uint64_t ino,
		      unsigned flags);
void jb_dirty_add_beyond(struct jb_dirty *d, uint8_t fs, uint64_t ino,
			 struct jb_handle_ref handle);
void jb_dirty_lose(struct jb_dirty *d, enum jb_loss why);

/* Flags of an inode, 0: not in the set. */
unsigned jb_dirty_ino(const struct jb_dirty *d, uint8_t fs, uint64_t ino);
/* More flags for an inode that is in the set; else nothing. */
void jb_dirty_note_ino(struct jb_dirty *d, uint8_t fs, uint64_t ino,
		       unsigned flags);

#endif
