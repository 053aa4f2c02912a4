/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text as a time, a duration and a size: read or refused, and what is
 * written of it is read again. */
#include "engine/base/duration.h"
#include "engine/base/size.h"
#include "engine/base/time.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[128], out[64];
	uint64_t amount, again;
	struct jb_error err = {0};
	int64_t us, us_again;

	if (size >= sizeof text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (jb_time_parse(text, INT64_C(1795442400000000), &us, &err) ==
	    JB_OK) {
		jb_time_format(us, true, out, sizeof out);
		if (us >= 0 && us < INT64_C(100000000000000000)) {
			require(jb_time_parse(out, 0, &us_again, NULL) ==
				JB_OK);
			require(us_again == us);
		}
	} else {
		require(strstr(err.text, "write it like") != NULL ||
			strlen(err.text) == JB_ERROR_TEXT_MAX - 1);
	}
	if (jb_duration_parse(text, &amount, &err) == JB_OK) {
		jb_duration_format(amount, out, sizeof out);
		require(jb_duration_parse(out, &again, NULL) == JB_OK);
		require(again <= amount && again >= amount / 2);
	}
	if (jb_size_parse(text, &amount, &err) == JB_OK) {
		jb_size_format(amount, out, sizeof out);
		require(jb_size_parse(out, &again, NULL) == JB_OK);
		require(again <= amount && again >= amount / 2);
	}
	return 0;
}
