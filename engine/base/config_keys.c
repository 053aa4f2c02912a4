/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/config_keys.h"

#include "engine/base/duration.h"

#include <stdio.h>
#include <string.h>

#define CONFIG(field) offsetof(struct jb_config, field)
#define ROOT(field)   offsetof(struct jb_config_root, field)
#define ELSEWHERE     JB_CONFIG_NO_FIELD
#define MAX_RESCAN    (INT64_C(366) * 86400 * 1000000)

/* clang-format off */
const struct jb_config_option jb_config_options[] = {
	/* [Journal] */
	{.section = "Journal", .key = "StateDirectory",
	 .type = JB_CONFIG_PATH, .offset = CONFIG(state_dir),
	 .fallback = "/var/lib/journalctl-backup",
	 .help = "Where the journal and the policies' databases are kept."},
	{.section = "Journal", .key = "RuntimeDirectory",
	 .type = JB_CONFIG_PATH, .offset = CONFIG(runtime_dir),
	 .fallback = "/run/journalctl-backup",
	 .help = "Where the daemon's control socket is."},
	{.section = "Journal", .key = "PluginDirectory",
	 .type = JB_CONFIG_PATH, .offset = CONFIG(plugin_dir),
	 .fallback = JB_PLUGIN_DIR,
	 .help = "Where policies (*.so) are looked for."},
	{.section = "Journal", .key = "FlushInterval",
	 .type = JB_CONFIG_DURATION, .offset = CONFIG(flush_us),
	 .fallback = "200ms", .min = 1000, .max = 60000000,
	 .help = "How long events are gathered under load before they are "
		 "looked at. When idle they are at once."},
	{.section = "Journal", .key = "Retain",
	 .type = JB_CONFIG_DURATION, .offset = CONFIG(retain_us),
	 .fallback = "90d",
	 .help = "How long changes are kept; infinity: for ever. What a "
		 "policy has not read yet is kept in any case."},
	{.section = "Journal", .key = "MaxBacklog",
	 .type = JB_CONFIG_NUMBER, .offset = CONFIG(max_backlog),
	 .fallback = "off",
	 .help = "How many changes may wait for a policy. One that is "
		 "further behind owes a full pass instead."},
	{.section = "Journal", .key = "MaxJournalSize",
	 .type = JB_CONFIG_SIZE, .offset = CONFIG(max_journal),
	 .fallback = "off", .min = 8 << 20,
	 .help = "The most that the journal may take of the disk. Near it the "
		 "oldest changes go."},
	{.section = "Journal", .key = "QueueLimit",
	 .type = JB_CONFIG_NUMBER, .offset = CONFIG(queue_events),
	 .fallback = "off", .min = 16, .max = UINT32_MAX,
	 .help = "The most events that may wait in the kernel. Off: as many "
		 "as the kernel allows."},
	{.section = "Journal", .key = "LogLevel",
	 .type = JB_CONFIG_WORD, .offset = CONFIG(log_level),
	 .fallback = "info", .choices = "error warning notice info debug",
	 .help = "Which messages are logged."},

	/* [Root NAME] */
	{.section = "Root", .key = "Path",
	 .type = JB_CONFIG_PATH, .offset = ROOT(path),
	 .help = "The directory to watch. It ends where another file system "
		 "is mounted."},
	{.section = "Root", .key = "Backend",
	 .type = JB_CONFIG_WORD, .offset = ROOT(backend),
	 .fallback = "auto", .choices = "auto fanotify inotify",
	 .help = "How the kernel is asked. auto: the best that works."},
	{.section = "Root", .key = "Include",
	 .type = JB_CONFIG_PATTERNS, .offset = ELSEWHERE,
	 .help = "rsync's patterns of what to watch; without Exclude= only "
		 "that."},
	{.section = "Root", .key = "Exclude",
	 .type = JB_CONFIG_PATTERNS, .offset = ELSEWHERE,
	 .help = "rsync's patterns of what not to watch."},
	{.section = "Root", .key = "Patrol",
	 .type = JB_CONFIG_DURATION, .offset = ROOT(patrol_us),
	 .fallback = "7d",
	 .help = "How often a slow scan looks for what raises no event "
		 "(long-lived mmap). off: never."},

	{.section = "Root", .key = "RescanInterval",
	 .type = JB_CONFIG_DURATION, .offset = ROOT(rescan_us),
	 .fallback = "1h", .min = 10000000, .max = MAX_RESCAN,
	 .may_be_off = true,
	 .help = "How often a root on a network mount (nfs, cifs, ...) is "
		 "scanned: what others change there raises no event. off: "
		 "never."},

	/* [Target NAME] */
	{.section = "Target", .key = "Transport",
	 .type = JB_CONFIG_WORD, .offset = ELSEWHERE,
	 .choices = "local", .reserved = "rsync",
	 .help = "How the target is reached: local, a directory here."},
	{.section = "Target", .key = "Path",
	 .type = JB_CONFIG_TEXT, .offset = ELSEWHERE,
	 .help = "The directory there."},
	{.section = "Target", .key = "RequireMount",
	 .type = JB_CONFIG_BOOL, .offset = ELSEWHERE, .fallback = "no",
	 .help = "Write nothing unless a file system is mounted at Path=."},
	{.section = "Target", .key = "Host",
	 .is_reserved = true,
	 .type = JB_CONFIG_TEXT, .offset = ELSEWHERE,
	 .help = "USER@HOST of an rsync target."},
	{.section = "Target", .key = "SshCommand",
	 .is_reserved = true,
	 .type = JB_CONFIG_TEXT, .offset = ELSEWHERE, .fallback = "ssh",
	 .help = "How to call ssh, as in rsync's -e."},
	{.section = "Target", .key = "Under",
	 .type = JB_CONFIG_SUBPATH, .offset = ELSEWHERE,
	 .help = "A directory below Path= for all policies."},
	{.section = "Target", .key = "MinFree",
	 .type = JB_CONFIG_SIZE, .offset = ELSEWHERE, .fallback = "off",
	 .infinity = JB_INFINITY_IS_WRONG,
	 .help = "Leave this much free there: files that need it wait."},

	/* [Policy NAME] */
	{.section = "Policy", .key = "Plugin",
	 .type = JB_CONFIG_NAME, .offset = ELSEWHERE,
	 .help = "Which policy it is: mirror, or one of your own."},
	{.section = "Policy", .key = "Root",
	 .type = JB_CONFIG_NAME, .offset = ELSEWHERE,
	 .help = "The [Root NAME] whose changes it gets."},
	{.section = "Policy", .key = "Target",
	 .type = JB_CONFIG_NAME, .offset = ELSEWHERE,
	 .help = "The [Target NAME] that it keeps."},
	{.section = "Policy", .key = "Policies",
	 .is_reserved = true,
	 .type = JB_CONFIG_NAMES, .offset = ELSEWHERE,
	 .help = "reconcile: the policies that get a full pass."},
	{.section = "Policy", .key = "Include",
	 .type = JB_CONFIG_PATTERNS, .offset = ELSEWHERE,
	 .help = "rsync's patterns of what it takes; without Exclude= only "
		 "that."},
	{.section = "Policy", .key = "Exclude",
	 .type = JB_CONFIG_PATTERNS, .offset = ELSEWHERE,
	 .help = "rsync's patterns of what it leaves."},
	{.section = "Policy", .key = "Under",
	 .type = JB_CONFIG_SUBPATH, .offset = ELSEWHERE,
	 .help = "Its directory below the target's."},
	{.section = "Policy", .key = "Every",
	 .is_reserved = true,
	 .type = JB_CONFIG_DURATION, .offset = ELSEWHERE,
	 .fallback = "off", .infinity = JB_INFINITY_IS_WRONG,
	 .help = "How often it runs; off: as changes come."},
	{.section = "Policy", .key = "OnCalendar",
	 .is_reserved = true,
	 .type = JB_CONFIG_TEXT, .offset = ELSEWHERE,
	 .help = "When it runs, as in systemd.time(7): Sun *-*-1..7 04:00."},
	{.section = "Policy", .key = "NotBefore",
	 .is_reserved = true,
	 .type = JB_CONFIG_TIME, .offset = ELSEWHERE,
	 .help = "Do nothing before this time."},
	{.section = "Policy", .key = "MaxDelete",
	 .type = JB_CONFIG_LIMIT, .offset = ELSEWHERE, .fallback = "10%",
	 .help = "Hold the deletions when more would go within "
		 "DeleteWindow=: a share of all entries (5%, but at least "
		 "100 and at most 100,000), a number, or off."},
	{.section = "Policy", .key = "DeleteWindow",
	 .type = JB_CONFIG_DURATION, .offset = ELSEWHERE, .fallback = "1h",
	 .min = 1000000, .max = JB_DURATION_MAX,
	 .help = "The time over which deletions are counted."},
	{.section = "Policy", .key = "MaxReplace",
	 .type = JB_CONFIG_LIMIT, .offset = ELSEWHERE, .fallback = "off",
	 .help = "The same as MaxDelete= for files that get new content."},
	{.section = "Policy", .key = "KeepDeleted",
	 .type = JB_CONFIG_DURATION, .offset = ELSEWHERE, .fallback = "7d",
	 .infinity = JB_INFINITY_IS_LONGEST,
	 .help = "How long deleted and replaced files stay in the target's "
		 "trash, and no longer than there is room; infinity: as long "
		 "as there is room; off: they are not kept."},
	{.section = "Policy", .key = "Preserve",
	 .type = JB_CONFIG_WORDS, .offset = ELSEWHERE,
	 .fallback = "mode owner times xattrs acls",
	 .choices = "mode owner times xattrs acls none",
	 .help = "What is carried over beside the content and hard links. "
		 "An entry with something of it that the target can't keep "
		 "stays pending."},
	{.section = "Policy", .key = "Settle",
	 .type = JB_CONFIG_DURATION, .offset = ELSEWHERE, .fallback = "off",
	 .infinity = JB_INFINITY_IS_WRONG,
	 .help = "Copy a file only when its content was left alone this "
		 "long, in a first copy and a full pass too."},
	{.section = "Policy", .key = "MinInterval",
	 .type = JB_CONFIG_DURATION, .offset = ELSEWHERE, .fallback = "off",
	 .infinity = JB_INFINITY_IS_WRONG,
	 .help = "Copy the same file no more often than this, except by a "
		 "full pass and after a restart."},
	{.section = "Policy", .key = "PluginTimeout",
	 .type = JB_CONFIG_DURATION, .offset = ELSEWHERE, .fallback = "1min",
	 .min = 1000000, .max = JB_DURATION_MAX,
	 .help = "How long one call of the plugin may take; then its worker "
		 "is ended and begins anew."},
	{.section = "Policy", .key = "Nice",
	 .type = JB_CONFIG_NUMBER, .offset = ELSEWHERE, .fallback = "10",
	 .min = -20, .max = 19,
	 .help = "The worker's CPU priority, -20 to 19."},
	{.section = "Policy", .key = "IOClass",
	 .type = JB_CONFIG_WORD, .offset = ELSEWHERE, .fallback = "idle",
	 .choices = "none realtime best-effort idle",
	 .help = "The worker's I/O class, as in ionice(1)."},
};
/* clang-format on */

const size_t jb_config_n_options =
	sizeof jb_config_options / sizeof jb_config_options[0];

const struct jb_config_option *jb_config_option(const char *section,
						const char *key)
{
	for (size_t i = 0; i < jb_config_n_options; i++)
		if (strcmp(jb_config_options[i].section, section) == 0 &&
		    strcmp(jb_config_options[i].key, key) == 0)
			return &jb_config_options[i];
	return NULL;
}

/* How many bytes of the longer one are not met in the shorter one, in order;
 * enough to see a slip of the keyboard. */
static size_t count_slips(const char *a, const char *b)
{
	size_t common = 0,
	       longer = strlen(a) > strlen(b) ? strlen(a) : strlen(b);
	const char *at = b, *hit;

	for (; *a != '\0'; a++) {
		char pair[3] = {*a, (char)(*a ^ 0x20), '\0'};

		hit = strpbrk(at, pair);
		if (hit == NULL || hit > at + 2)
			continue;
		common++;
		at = hit + 1;
	}
	return longer - common;
}

/* The key of @section that is written nearly like @key, or NULL. */
static const char *similar_key(const char *section, const char *key)
{
	const char *best = NULL;
	size_t slips, least = 4;

	for (size_t i = 0; i < jb_config_n_options; i++) {
		if (strcmp(jb_config_options[i].section, section) != 0)
			continue;
		slips = count_slips(key, jb_config_options[i].key);
		if (slips < least && slips * 2 < strlen(key)) {
			least = slips;
			best = jb_config_options[i].key;
		}
	}
	return best;
}

void jb_config_explain_key(const char *section, const char *key, char *text,
			   size_t size)
{
	static const char *const kinds[] = {"Journal", "Root", "Target",
					    "Policy"};
	const char *similar = similar_key(section, key);
	const char *home = NULL;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (home == NULL && jb_config_option(kinds[i], key) != NULL)
			home = kinds[i];
	if (similar != NULL)
		snprintf(text, size,
			 "unknown key '%s' in [%s]; did you mean %s=?", key,
			 section, similar);
	else if (home != NULL)
		snprintf(text, size,
			 "unknown key '%s' in [%s]; it belongs to [%s]", key,
			 section, home);
	else
		snprintf(text, size,
			 "unknown key '%s' in [%s]; remove it, or see "
			 "`check-config --keys`",
			 key, section);
}
