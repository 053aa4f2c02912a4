/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/fits.h - does a copy have the content that the source has? */
#ifndef JB_DELIVER_FITS_H
#define JB_DELIVER_FITS_H

#include "engine/deliver/replica.h"

/* What the catalog says of an entry's content. */
struct jb_content {
	struct jb_id id;
	bool is_dir;
	int64_t size, mtime, ctime;
	int64_t cseq, cctime;
};

/* @epoch: the replica's number of the epoch that cseq is of. */
bool jb_row_fits(const struct jb_node_row *row, uint32_t epoch,
		 const struct jb_content *c);

/* What jb_node_row.hash is compared with: six bytes in the database are enough
 * to see rot. Never 0. */
uint64_t jb_content_hash(const struct jb_hash *hash);

/* What jb_node_row.meta is compared with: two objects whose attributes were
 * looked at in the same state have the same. Never 0. The ctime is in it, as
 * it alone tells of a changed xattr or ACL. */
uint64_t jb_meta_of(uint32_t mode, uint32_t uid, uint32_t gid, int64_t mtime,
		    int64_t ctime);

/* Does @at have what Preserve= (JB_PRESERVE_*) keeps of the mode, the owner and
 * the group of its source? Extended attributes are not looked at. */
bool jb_attrs_fit(unsigned preserve, uint32_t mode, uint32_t uid, uint32_t gid,
		  const struct jb_object *at);

#endif
