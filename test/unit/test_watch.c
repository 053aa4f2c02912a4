/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of the intake: directory map, map of watches and dirty set; the
 * list of mounts. */
#include "engine/mounts.h"
#include "engine/watch/dirmap.h"
#include "engine/watch/dirty.h"
#include "engine/watch/keymap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- directory map */

static struct jb_handle_ref make_handle(uint8_t *bytes, unsigned n, size_t len)
{
	memset(bytes, 'h', len);
	memcpy(bytes, &n, sizeof n);
	return (struct jb_handle_ref){bytes, (uint8_t)len};
}

static uint64_t find_first(const struct jb_dirmap *m, uint8_t fs,
			   struct jb_handle_ref h)
{
	size_t pos = SIZE_MAX;

	return jb_dirmap_next(m, fs, h, jb_dirmap_hash(fs, h), &pos);
}

/* Random adding and removing gives what a plain table gives. */
static void test_dirmap_random(void **state)
{
	enum { N = 4000 };
	static uint64_t there[N];
	struct jb_dirmap m;
	uint8_t bytes[64];
	unsigned seed = 7;

	(void)state;
	assert_int_equal(jb_dirmap_init(&m, NULL), JB_OK);
	for (int step = 0; step < 60000; step++) {
		unsigned n = (unsigned)rand_r(&seed) % N;
		struct jb_handle_ref h =
			make_handle(bytes, n, n % 7 == 0 ? 40 : 12);

		if (there[n] != 0) {
			jb_dirmap_remove(&m, 1, h, there[n]);
			there[n] = 0;
		} else {
			there[n] = (uint64_t)step + 1;
			assert_int_equal(
				jb_dirmap_add(&m, 1, h, there[n], NULL), JB_OK);
		}
	}
	for (unsigned n = 0; n < N; n++) {
		struct jb_handle_ref h =
			make_handle(bytes, n, n % 7 == 0 ? 40 : 12);

		assert_int_equal(find_first(&m, 1, h), there[n]);
		assert_int_equal(find_first(&m, 2, h), 0);
	}
	jb_dirmap_fini(&m);
}

/* A directory that moved between roots is known to both, and taking one key
 * away leaves the other. */
static void test_dirmap_two_keys(void **state)
{
	struct jb_dirmap m;
	uint8_t bytes[16];
	struct jb_handle_ref h = make_handle(bytes, 1, 12);
	uint32_t hash = jb_dirmap_hash(0, h);
	size_t pos = SIZE_MAX;
	uint64_t sum = 0, key;

	(void)state;
	jb_dirmap_init(&m, NULL);
	jb_dirmap_add(&m, 0, h, 5, NULL);
	jb_dirmap_add(&m, 0, h, 8, NULL);
	jb_dirmap_add(&m, 0, h, 5, NULL);
	while ((key = jb_dirmap_next(&m, 0, h, hash, &pos)) != 0)
		sum += key;
	assert_int_equal(sum, 13);
	jb_dirmap_remove(&m, 0, h, 5);
	jb_dirmap_remove(&m, 0, h, 77);
	assert_int_equal(find_first(&m, 0, h), 8);
	jb_dirmap_fini(&m);
}

/* ---- map of watches */

/* Random putting and removing gives what a plain table gives, and room is taken
 * for what is there, however high the numbers are. */
static void test_keymap_random(void **state)
{
	enum { N = 4000 };
	static uint64_t there[N];
	struct jb_keymap m = {0};
	unsigned seed = 7;

	(void)state;
	assert_int_equal(jb_keymap_get(&m, 1), 0);
	jb_keymap_remove(&m, 1);
	for (uint64_t step = 1; step < 60000; step++) {
		unsigned n = (unsigned)rand_r(&seed) % N;
		uint64_t key = (uint64_t)n * n * n + 1;

		there[n] = there[n] == 0 || step % 5 == 0 ? step : 0;
		if (there[n] == 0)
			jb_keymap_remove(&m, key);
		else
			assert_int_equal(jb_keymap_put(&m, key, step), JB_OK);
	}
	for (uint64_t n = 0; n < N; n++)
		assert_int_equal(jb_keymap_get(&m, n * n * n + 1), there[n]);
	assert_true(m.size <= 4 * N);
	jb_keymap_fini(&m);
}

/* ---- dirty set */

static unsigned flags_of(const struct jb_dirty *d, uint64_t dir,
			 const char *name)
{
	for (uint32_t i = 0; i < d->n_places; i++)
		if (d->dirs[d->places[i].dir].key == dir &&
		    d->places[i].len == strlen(name) &&
		    memcmp(d->names + d->places[i].name, name, strlen(name)) ==
			    0)
			return d->places[i].flags;
	return 0;
}

static const struct jb_dirty_dir *dir_of(const struct jb_dirty *d, uint64_t key)
{
	for (uint32_t i = 0; i < d->n_dirs; i++)
		if (d->dirs[i].key == key)
			return &d->dirs[i];
	return NULL;
}

/* A place that is told twice is looked at once, with all that was said. */
static void test_dirty_merges(void **state)
{
	struct jb_dirty d;

	(void)state;
	jb_dirty_init(&d, NULL);
	jb_dirty_add(&d, 1, "a", 1, 0, JB_DIRTY_EVENT);
	jb_dirty_add(&d, 2, "a", 1, 0, JB_DIRTY_LOSSY);
	jb_dirty_add(&d, 1, "a", 1, 0, JB_DIRTY_ATTRIB);
	assert_int_equal(d.n_places, 2);
	assert_int_equal(flags_of(&d, 1, "a"),
			 JB_DIRTY_EVENT | JB_DIRTY_ATTRIB);
	assert_int_equal(flags_of(&d, 2, "a"), JB_DIRTY_LOSSY);
	jb_dirty_add_ino(&d, 3, 77, JB_INO_CONTENT);
	jb_dirty_add_ino(&d, 3, 77, JB_INO_MOVED);
	assert_int_equal(jb_dirty_ino(&d, 3, 77),
			 JB_INO_CONTENT | JB_INO_MOVED);
	assert_int_equal(jb_dirty_ino(&d, 4, 77), 0);
	jb_dirty_clear(&d);
	assert_false(jb_dirty_any(&d));
	assert_int_equal(jb_dirty_ino(&d, 3, 77), 0);
	jb_dirty_fini(&d);
}

/* Many names in a few directories: those are listed, on behalf of who told of
 * the names; what else is dirty keeps its place. */
static void test_dirty_lists(void **state)
{
	struct jb_dirty d;
	char name[32];

	(void)state;
	jb_dirty_init(&d, NULL);
	jb_dirty_add(&d, 5, "kept", 4, 0, JB_DIRTY_EVENT);
	for (unsigned i = 0; i <= JB_DIRTY_MAX_PLACES; i++) {
		snprintf(name, sizeof name, "%u", i);
		jb_dirty_add(&d, 9 + i % 3, name, strlen(name), 0,
			     i % 3 == 2 ? JB_DIRTY_LOSSY : JB_DIRTY_EVENT);
	}
	assert_int_equal(d.loss, JB_LOSS_NONE);
	assert_int_equal(dir_of(&d, 9)->flags,
			 JB_DIRTY_LIST | JB_DIRTY_LOSSY | JB_DIRTY_EVENT);
	assert_int_equal(dir_of(&d, 11)->flags, JB_DIRTY_LIST | JB_DIRTY_LOSSY);
	assert_int_equal(flags_of(&d, 5, "kept"), JB_DIRTY_EVENT);
	assert_true(d.n_places < 10);
	jb_dirty_fini(&d);
}

/* Too many directories, or inodes: everything is scanned, and the memory stays
 * where it is. */
static void test_dirty_loses(void **state)
{
	struct jb_dirty d;

	(void)state;
	jb_dirty_init(&d, NULL);
	for (uint64_t i = 1; i <= JB_DIRTY_MAX_DIRS + 1; i++)
		jb_dirty_add(&d, i, "x", 1, 0, JB_DIRTY_EVENT);
	assert_int_equal(d.loss, JB_LOSS_TOO_MANY);
	assert_int_equal(d.n_places, 0);
	jb_dirty_add(&d, 1, "x", 1, 0, JB_DIRTY_EVENT);
	assert_int_equal(d.n_places, 0);
	jb_dirty_clear(&d);
	assert_int_equal(d.loss, JB_LOSS_NONE);
	for (uint64_t i = 1; i <= JB_DIRTY_MAX_INOS + 1; i++)
		jb_dirty_add_ino(&d, 0, i, JB_INO_LOOK);
	assert_int_equal(d.loss, JB_LOSS_TOO_MANY);
	assert_int_equal(d.n_inos, 0);
	jb_dirty_fini(&d);
}

static size_t bytes_of(const struct jb_dirty *d)
{
	return d->cap_places * sizeof *d->places +
	       d->n_place_slots * sizeof *d->place_slots +
	       d->cap_dirs * sizeof *d->dirs +
	       d->n_dir_slots * sizeof *d->dir_slots + d->names_size +
	       d->size_inos * sizeof *d->inos +
	       d->cap_beyond * sizeof *d->beyond;
}

/* Whatever comes, a set has no more than this; and gives it back. */
static void test_dirty_is_bounded(void **state)
{
	enum { MOST = 80 << 20 };
	struct jb_handle_ref handle;
	struct jb_dirty d;
	uint8_t bytes[128];
	char name[256];
	size_t most = 0;

	(void)state;
	jb_dirty_init(&d, NULL);
	handle = make_handle(bytes, 1, sizeof bytes);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 1; i < 3 * JB_DIRTY_MAX_INOS; i++) {
			snprintf(name, sizeof name, "%0255u", i);
			jb_dirty_add(&d, 1 + i % (round == 0 ? 5 : 90000), name,
				     255, i, JB_DIRTY_EVENT);
			jb_dirty_add_ino(&d, 0, i / 4, JB_INO_LOOK);
			if (i % 8 == 0)
				jb_dirty_add_beyond(&d, 0, i, handle);
			most = bytes_of(&d) > most ? bytes_of(&d) : most;
			if (d.loss != JB_LOSS_NONE)
				jb_dirty_clear(&d);
		}
	print_message("at most %zu bytes\n", most);
	assert_true(most < MOST);
	jb_dirty_clear(&d);
	assert_true(bytes_of(&d) < MOST / 8);
	jb_dirty_fini(&d);
}

/* Renames into unknown directories are bounded too. */
static void test_dirty_beyond(void **state)
{
	struct jb_dirty d;
	uint8_t bytes[16];
	struct jb_handle_ref handle = make_handle(bytes, 1, 12);

	(void)state;
	jb_dirty_init(&d, NULL);
	for (unsigned i = 1; i <= JB_DIRTY_MAX_BEYOND; i++)
		jb_dirty_add_beyond(&d, 0, i, handle);
	assert_int_equal(d.loss, JB_LOSS_NONE);
	jb_dirty_add_beyond(&d, 0, 1, handle);
	assert_int_equal(d.loss, JB_LOSS_TOO_MANY);
	assert_int_equal(d.n_beyond, 0);
	jb_dirty_clear(&d);
	jb_dirty_add_beyond(&d, 0, 1, handle);
	assert_int_equal(d.n_beyond, 1);
	jb_dirty_fini(&d);
}

/* ---- mounts */

struct seen {
	char text[512];
};

static void on_mount(void *arg, const char *path)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof s->text - n, "%s;", path);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* What has come and what has gone is told, bytes unescaped. */
static void test_mounts(void **state)
{
	char path[] = "/tmp/jb-mounts-XXXXXX";
	struct jb_mounts m = {0};
	struct seen s = {""};

	(void)state;
	close(mkstemp(path));
	write_file(path, "1 0 8:1 / / rw - ext4 /dev/a rw\n"
			 "2 1 8:2 / /srv/nfs rw - ext4 /dev/b rw\n");
	assert_int_equal(jb_mounts_update(&m, path, on_mount, &s, NULL), JB_OK);
	assert_string_equal(s.text, "/;/srv/nfs;");
	s.text[0] = '\0';
	write_file(path, "1 0 8:1 / / rw - ext4 /dev/a rw\n"
			 "3 1 8:3 / /srv/a\\040b\\134c rw - ext4 /dev/b rw\n");
	assert_int_equal(jb_mounts_update(&m, path, on_mount, &s, NULL), JB_OK);
	assert_string_equal(s.text, "/srv/a b\\c;/srv/nfs;");
	jb_mounts_fini(&m);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dirmap_random),
		cmocka_unit_test(test_dirmap_two_keys),
		cmocka_unit_test(test_keymap_random),
		cmocka_unit_test(test_dirty_merges),
		cmocka_unit_test(test_dirty_lists),
		cmocka_unit_test(test_dirty_loses),
		cmocka_unit_test(test_dirty_is_bounded),
		cmocka_unit_test(test_dirty_beyond),
		cmocka_unit_test(test_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
