/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/fits.h"

#include "engine/deliver/rules.h"

#include <sys/stat.h>
#include <xxhash.h>

bool jb_row_fits(const struct jb_node_row *row, uint32_t epoch,
		 const struct jb_content *c)
{
	bool same = jb_id_equal(row->src, c->id);
	bool alike = row->size == c->size && row->mtime == c->mtime;

	if (c->is_dir)
		return true;
	if (JB_WITHOUT(CSEQ) && same)
		return row->ctime == c->ctime || alike;
	/* The journal numbers what changed content: exact. A copy that is
	 * younger than the last such change has it too. */
	if (same && row->epoch == epoch && row->cseq == c->cseq)
		return true;
	if (same && c->cctime <= row->ctime)
		return true;
	/* Another identity or epoch: size and time, as rsync does. A node
	 * without identity is known to be old. */
	return row->src.ino != 0 && (!same || row->epoch != epoch) && alike;
}

/* In the database: 47 bits and the sign. */
static uint64_t six_bytes(uint64_t h)
{
	h &= UINT64_C(0x7fffffffffff);
	return h != 0 ? h : 1;
}

uint64_t jb_meta_of(uint32_t mode, uint32_t uid, uint32_t gid, int64_t mtime,
		    int64_t ctime)
{
	const uint64_t v[4] = {mode, (uint64_t)uid << 32 | gid, (uint64_t)mtime,
			       (uint64_t)ctime};
	return six_bytes(XXH3_64bits(v, sizeof v));
}

bool jb_attrs_fit(unsigned preserve, uint32_t mode, uint32_t uid, uint32_t gid,
		  const struct jb_object *at)
{
	uint32_t kept = 07777;

	if (!(preserve & JB_PRESERVE_OWNER))
		kept &= ~(uint32_t)(S_ISUID | S_ISGID);
	else if (at->uid != uid || at->gid != gid)
		return false;
	return !(preserve & JB_PRESERVE_MODE) || S_ISLNK(mode) ||
	       (at->mode & 07777) == (mode & kept);
}

uint64_t jb_content_hash(const struct jb_hash *hash)
{
	return six_bytes(hash->low);
}
