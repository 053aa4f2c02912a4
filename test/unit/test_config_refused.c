/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of a configuration that is wrong: file, line and word. */
#include "lib/t_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

/* Each mistake: where it is, what it is. */
static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int line;
		const char *word;
	} bad[] = {
		{"", 0, "no [Root NAME]"},
		{"Path=/x\n", 1, "before any section"},
		{"[Rot x]\n", 1, "unknown section [Rot x]"},
		{"[Root]\n", 1, "needs a name"},
		{"[Root a b]\n", 1, "can't be called"},
		{"[Root a/b]\n", 1, "can't be called"},
		{"[Root ..]\n", 1, "can't be called"},
		{"[Root \xc3\xa4]\n", 1, "can't be called"},
		{"[Journal x]\n", 1, "no name"},
		{"[Root nfs\nPath=/x\n", 1, "no section"},
		{"[Root nfs] Path=/x\n", 1, "no section"},
		{ROOT "junk\n", 3, "neither"},
		{ROOT "Backend: auto\n", 3, "neither"},
		{ROOT "=x\n", 3, "key is missing"},
		{ROOT "Bakend=auto\n", 3, "did you mean Backend=?"},
		{ROOT "Retain=1d\n", 3, "belongs to [Journal]"},
		{ROOT "Nonsense=1\n", 3, "unknown key 'Nonsense'"},
		{ROOT "path=/x\n", 3, "did you mean Path=?"},
		{ROOT "Backend=magic\n", 3, "auto fanotify inotify"},
		{ROOT "Patrol=sometimes\n", 3, "7d"},
		{ROOT "Exclude=[abc\n", 3, "[abc"},
		{ROOT "Exclude=\"a b\n", 3, "partner"},
		{ROOT "Exclude=\"a\"b\n", 3, "blank must follow"},
		{ROOT "Exclude=--exclude=/x\n", 3, "pattern alone"},
		{ROOT "Exclude=caf\xe9\n", 3, "0xe9 is not UTF-8"},
		{ROOT "Exclude=a\x01\n", 3, "control character"},
		{"[Root nfs]\nPath=srv\n", 2, "absolute"},
		{"[Root nfs]\nPath=/srv/../etc\n", 2, "'..'"},
		{"[Root nfs]\nBackend=auto\n", 1, "no Path="},
		{"[Root nfs]\nPath=/x\nPath=\n", 1, "no Path="},
		{ROOT "[Root b]\nPath=/srv/nfs/\n", 4, "same Path="},
		{ROOT "[Journal]\nStateDirectory=/srv\n", 2, "StateDirectory"},
		{ROOT "[Journal]\nFlushInterval=0\n", 4, "1ms to 1min"},
		{ROOT "[Journal]\nRetain=90 dais\n", 4, "dais"},
		{ROOT "[Journal]\nMaxJournalSize=1MB\n", 4, "64M"},
		{ROOT "[Journal]\nMaxJournalSize=1M\n", 4, "8M or more"},
		{ROOT "[Journal]\nMaxBacklog=-1\n", 4, "no number"},
		{ROOT "[Journal]\nQueueLimit=3\n", 4, "16"},
		{ROOT "[Journal]\nLogLevel=loud\n", 4, "error warning"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		t_config_refuse(*state, bad[i].text, bad[i].line, bad[i].word);
}

/* "infinity": no limit, as long as can be, or nonsense; and "off". */
static void test_infinity(void **state)
{
	const struct jb_config *c;

	c = t_config_load(*state, ROOT SDA MIRROR
			  "KeepDeleted=infinity\nMaxDelete=infinity\n");
	assert_int_equal(jb_config_duration(jb_config_policy(c, "m"),
					    "KeepDeleted"),
			 INT64_MAX);
	assert_true(
		jb_config_limit(jb_config_policy(c, "m"), "MaxDelete").is_off);
	c = t_config_load(*state, ROOT
			  "Patrol=infinity\nRescanInterval=off\n[Journal]\n"
			  "Retain=infinity\nMaxJournalSize=infinity\n"
			  "MaxBacklog=infinity\n" SDA MIRROR
			  "KeepDeleted=off\n");
	assert_int_equal(c->roots[0].patrol_us, 0);
	assert_int_equal(c->roots[0].rescan_us, 0);
	assert_int_equal(c->retain_us, 0);
	assert_int_equal(c->max_journal, 0);
	assert_int_equal(c->max_backlog, 0);
	assert_int_equal(
		jb_config_duration(jb_config_policy(c, "m"), "KeepDeleted"), 0);
	c = t_config_load(*state, ROOT "[Journal]\nMaxJournalSize=15E\n");
	assert_int_equal(c->max_journal, INT64_MAX);
	t_config_refuse(
		*state, ROOT SDA MIRROR "Settle=infinity\n", 10,
		"would keep all from being copied; write it like 5min, or off");
	t_config_refuse(*state, ROOT SDA MIRROR "MinInterval=infinity\n", 10,
			"would keep all from being copied");
	t_config_refuse(
		*state, ROOT SDA "MinFree=infinity\n" MIRROR, 6,
		"would keep all from being copied; write it like 10G, or off");
	t_config_refuse(*state, ROOT SDA MIRROR "PluginTimeout=infinity\n", 10,
			"out of range");
	t_config_refuse(*state, ROOT SDA MIRROR "DeleteWindow=infinity\n", 10,
			"out of range");
}

/* Targets and policies that do not fit together. */
static void test_policies_refused(void **state)
{
	static const struct {
		const char *text;
		int line;
		const char *word;
	} bad[] = {
		{ROOT "[Target t]\nPath=/x\n", 3, "no Transport="},
		{ROOT "[Target t]\nTransport=local\n", 3, "no Path="},
		{ROOT "[Target t]\nTransport=local\nPath=x\n", 5, "absolute"},
		{ROOT SDA "Host=x\n", 6, "Host="},
		{ROOT SDA "[Policy m]\nRoot=nfs\n", 6, "no Plugin="},
		{ROOT SDA "[Policy m]\nPlugin=mirror\nTarget=sda\n", 6,
		 "no Root="},
		{ROOT SDA "[Policy m]\nPlugin=mirror\nRoot=nfs\n", 6,
		 "no Target="},
		{ROOT SDA "[Policy m]\nPlugin=mirror\nRoot=x\nTarget=sda\n", 8,
		 "no [Root x]"},
		{ROOT MIRROR, 6, "no [Target sda]"},
		{ROOT SDA "[Policy r]\nPlugin=reconcile\n", 6, "no Policies="},
		{ROOT SDA MIRROR "[Policy r]\nPlugin=reconcile\n"
				 "Policies=m q\n",
		 12, "no [Policy q]"},
		{ROOT SDA MIRROR "Under=/abs\n", 10, "absolute"},
		{ROOT SDA MIRROR "Under=a/../b\n", 10, "stay below"},
		{ROOT SDA MIRROR "MaxDelete=150%\n", 10, "5%"},
		{ROOT SDA MIRROR "MaxDelete=many\n", 10, "no limit"},
		{ROOT SDA MIRROR "Nice=99\n", 10, "-20 to 19"},
		{ROOT SDA MIRROR "Preserve=mode taste\n", 10, "taste"},
		{ROOT SDA MIRROR "NotBefore=later\n", 10, "later"},
		{ROOT SDA MIRROR "[Root b]\nPath=/srv/b\n[Policy n]\n"
				 "Plugin=mirror\nRoot=b\nTarget=sda\n"
				 "Under=x\n",
		 16, "Under="},
		{ROOT "[Target t]\nTransport=local\nPath=/srv/nfs/copy\n"
		      "[Policy m]\nPlugin=mirror\nRoot=nfs\nTarget=t\n",
		 9, "inside its own [Root nfs]"},
		{ROOT "[Target t]\nTransport=local\nPath=/srv\n"
		      "[Policy m]\nPlugin=mirror\nRoot=nfs\nTarget=t\n",
		 9, "holds its own [Root nfs]"},
		{ROOT "[Root b]\nPath=/mnt/b\n"
		      "[Target t]\nTransport=local\nPath=/mnt/b/x\n"
		      "[Target u]\nTransport=local\nPath=/srv/nfs/y\n"
		      "[Policy m]\nPlugin=mirror\nRoot=nfs\nTarget=t\n"
		      "[Policy n]\nPlugin=mirror\nRoot=b\nTarget=u\n",
		 14, "ring"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		t_config_refuse(*state, bad[i].text, bad[i].line, bad[i].word);
}

/* A chain is no ring: nfs -> sda -> nas. */
static void test_chain(void **state)
{
	t_config_load(*state,
		      ROOT "[Root sda]\nPath=/mnt/backup\n" SDA
			   "[Target nas]\nTransport=rsync\nHost=nas\n"
			   "Path=/srv/nfs\n" MIRROR
			   "[Policy n]\nPlugin=bypass\nRoot=sda\nTarget=nas\n");
}

int main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, t_config_init, t_config_fini)
	const struct CMUnitTest tests[] = {
		TEST(test_refused),
		TEST(test_infinity),
		TEST(test_policies_refused),
		TEST(test_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
