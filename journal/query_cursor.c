/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/query_cursor.h"

#include <inttypes.h>
#include <stdio.h>

bool jb_query_place_parse(const char *text, struct jb_query_place *ret)
{
	struct jb_query_place p = {0};
	uint64_t session = 0;
	int end = 0;

	if (sscanf(text, "%16" SCNx64 ":%" SCNd64 "%n", &p.epoch, &p.seq,
		   &end) != 2 ||
	    p.seq < 0)
		return false;
	text += end;
	end = 0;
	if (*text != '\0' &&
	    (sscanf(text, ":%16" SCNx64 "%n", &session, &end) != 1 ||
	     text[end] != '\0' || session > INT64_MAX))
		return false;
	p.session = (int64_t)session;
	*ret = p;
	return true;
}

void jb_query_place_format(const struct jb_query_place *place, char *buf,
			   size_t size)
{
	int n = snprintf(buf, size, "%016" PRIx64 ":%" PRId64, place->epoch,
			 place->seq);

	if (place->session != 0)
		snprintf(buf + n, size - (size_t)n, ":%" PRIx64,
			 (uint64_t)place->session);
}
