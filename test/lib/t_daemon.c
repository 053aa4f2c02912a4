/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_daemon.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define START_MS 20000
#define STOP_MS	 30000
#define FLUSH_MS 60000

const char *t_daemon_program(void)
{
	const char *bin = getenv("JB_BIN");

	return bin != NULL ? bin : T_PROGRAM;
}

void t_daemon_configure(struct t_daemon *d, const char *format, ...)
{
	FILE *f = fopen(d->config, "a");
	va_list ap;

	assert_non_null(f);
	va_start(ap, format);
	vfprintf(f, format, ap);
	va_end(ap);
	assert_int_equal(fclose(f), 0);
}

void t_daemon_init(struct t_daemon *d, const char *dir)
{
	memset(d, 0, sizeof *d);
	snprintf(d->dir, sizeof d->dir, "%s", dir);
	snprintf(d->config, sizeof d->config, "%s/jb.conf", d->dir);
	snprintf(d->state, sizeof d->state, "%s/state", d->dir);
	snprintf(d->control, sizeof d->control, "%s/run/control", d->dir);
	snprintf(d->log, sizeof d->log, "%s/log", d->dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	t_daemon_configure(d,
			   "[Journal]\nStateDirectory=%s\n"
			   "RuntimeDirectory=%s/run\n",
			   d->state, d->dir);
}

void t_daemon_root(struct t_daemon *d, const char *name, const char *path,
		   enum t_backend backend)
{
	static const char *const names[] = {"auto", "fanotify", "inotify"};

	assert_true(d->n_roots < T_ROOTS);
	snprintf(d->root_name[d->n_roots], sizeof d->root_name[0], "%s", name);
	snprintf(d->root_path[d->n_roots], sizeof d->root_path[0], "%s", path);
	d->n_roots++;
	t_daemon_configure(d, "[Root %s]\nPath=%s\nBackend=%s\n", name, path,
			   names[backend]);
}

static void launch(struct t_daemon *d)
{
	const char *argv[] = {t_daemon_program(), "--config", d->config,
			      "daemon", NULL};
	struct stat st;

	assert_int_equal(d->pid, 0);
	d->log_start = stat(d->log, &st) == 0 ? (size_t)st.st_size : 0;
	if (d->preload != NULL)
		setenv("LD_PRELOAD", d->preload, 1);
	d->pid = t_process_start_with(argv, d->log,
				      d->manager != NULL ? t_manager_hand_over
							 : NULL,
				      d->manager);
	unsetenv("LD_PRELOAD");
}

pid_t t_daemon_child(struct t_daemon *d)
{
	char path[64];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", d->pid,
		 d->pid);
	f = d->pid != 0 ? fopen(path, "r") : NULL;
	if (f != NULL && fscanf(f, "%d", &pid) != 1)
		pid = 0;
	if (f != NULL)
		fclose(f);
	return pid;
}

static json_t *ask_quietly(struct t_daemon *d, const char *request)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	json_t *reply = NULL;

	assert_true(strlen(d->control) < sizeof to.sun_path);
	strcpy(to.sun_path, d->control);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
	    dprintf(fd, "%s\n", request) > 0)
		reply = json_loadfd(fd, JSON_DISABLE_EOF_CHECK, NULL);
	close(fd);
	return reply;
}

json_t *t_daemon_ask(struct t_daemon *d, const char *request)
{
	return ask_quietly(d, request);
}

void t_daemon_start(struct t_daemon *d)
{
	int waited_ms, code;
	json_t *reply;

	launch(d);
	for (waited_ms = 0; waited_ms < START_MS; waited_ms += 5) {
		reply = ask_quietly(d, "{\"command\":\"ping\"}");
		if (reply != NULL) {
			json_decref(reply);
			return;
		}
		code = t_process_wait(d->pid, 5);
		if (code >= 0) {
			d->pid = 0;
			fail_msg("the daemon ended at its start: exit %d",
				 code);
		}
	}
	fail_msg("the daemon does not answer at %s", d->control);
}

void t_daemon_begin(struct t_daemon *d)
{
	t_daemon_start(d);
	t_daemon_flush(d);
}

int t_daemon_refused(struct t_daemon *d)
{
	int code;

	launch(d);
	d->quiet = true;
	code = t_process_wait(d->pid, START_MS);
	if (code >= 0)
		d->pid = 0;
	return code;
}

void t_daemon_stop(struct t_daemon *d)
{
	int code;

	kill(d->pid, SIGTERM);
	code = t_process_wait(d->pid, STOP_MS);
	if (code < 0)
		fail_msg("the daemon did not stop on SIGTERM");
	d->pid = 0;
	if (code != 0)
		fail_msg("the daemon stopped with exit %d", code);
}

void t_daemon_reconfigure(struct t_daemon *d, const char *script)
{
	t_daemon_stop(d);
	t_shell("sed -i '%s' %s", script, d->config);
	t_daemon_start(d);
}

void t_daemon_kill(struct t_daemon *d)
{
	kill(d->pid, SIGKILL);
	assert_int_equal(t_process_wait(d->pid, STOP_MS), 128 + SIGKILL);
	d->pid = 0;
}

void t_daemon_freeze(struct t_daemon *d)
{
	int status;

	kill(d->pid, SIGSTOP);
	assert_int_equal(waitpid(d->pid, &status, WUNTRACED), d->pid);
	assert_true(WIFSTOPPED(status));
}

void t_daemon_thaw(struct t_daemon *d)
{
	kill(d->pid, SIGCONT);
}

void t_daemon_shell(struct t_daemon *d, const char *format, ...)
{
	char *command;
	va_list ap;

	va_start(ap, format);
	assert_true(vasprintf(&command, format, ap) >= 0);
	va_end(ap);
	t_daemon_freeze(d);
	t_shell("%s", command);
	t_daemon_thaw(d);
	free(command);
}

json_t *t_daemon_status(struct t_daemon *d)
{
	json_t *reply = ask_quietly(d, "{\"command\":\"status\"}");

	assert_non_null(reply);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	return reply;
}

int64_t t_daemon_journal_number(struct t_daemon *d, const char *key)
{
	json_t *status = t_daemon_status(d);
	json_t *journal = json_object_get(status, "journal");
	int64_t n = json_integer_value(json_object_get(journal, key));

	json_decref(status);
	return n;
}

json_t *t_daemon_root_member(json_t *status, const char *key)
{
	json_t *root = json_array_get(json_object_get(status, "roots"), 0);
	json_t *member = json_object_get(root, key);

	if (member == NULL)
		fail_msg("status has no roots[0].%s: %s", key,
			 json_dumps(status, 0));
	return member;
}

void t_daemon_await(struct t_daemon *d, const char *key, bool want)
{
	int waited_ms;
	json_t *status;
	bool is;

	for (waited_ms = 0; waited_ms < FLUSH_MS; waited_ms += 20) {
		status = t_daemon_status(d);
		is = json_is_true(t_daemon_root_member(status, key));
		json_decref(status);
		if (is == want)
			return;
		if (t_process_wait(d->pid, 20) >= 0) {
			d->pid = 0;
			fail_msg("the daemon ended");
		}
	}
	fail_msg("%s did not become %s", key, want ? "true" : "false");
}

void t_daemon_flush_within(struct t_daemon *d, int timeout_ms)
{
	char request[64];
	json_t *reply, *status;

	snprintf(request, sizeof request,
		 "{\"command\":\"flush\",\"timeout_ms\":%d}", timeout_ms);
	reply = ask_quietly(d, request);
	if (reply == NULL)
		fail_msg("flush: no answer, the daemon is gone");
	if (!json_is_true(json_object_get(reply, "ok"))) {
		status = t_daemon_status(d);
		fail_msg("flush: %s\nstatus: %s", json_dumps(reply, 0),
			 json_dumps(status, JSON_INDENT(2)));
	}
	json_decref(reply);
}

void t_daemon_flush(struct t_daemon *d)
{
	t_daemon_flush_within(d, FLUSH_MS);
}

/* Returns the command; borrowed from @ap. */
static const char *run_command(struct t_daemon *d, struct t_output *o,
			       va_list ap)
{
	const char *argv[32] = {t_daemon_program(), "--config", d->config};
	int n = 3;

	while (n < 31 && (argv[n] = va_arg(ap, const char *)) != NULL)
		n++;
	t_process_run(o, argv);
	return argv[3];
}

void t_daemon_command(struct t_daemon *d, struct t_output *o, ...)
{
	va_list ap;

	va_start(ap, o);
	run_command(d, o, ap);
	va_end(ap);
}

static bool has_said(const char *where, const char *words)
{
	return words == NULL || strstr(where, words) != NULL;
}

static void check_said(struct t_output *o, const char *command, int code,
		       const char *words, bool on_stderr)
{
	if (o->status != code)
		fail_msg("%s: exit %d, not %d: %s%s", command, o->status, code,
			 o->out, o->err);
	if (!has_said(o->err, words) && (on_stderr || !has_said(o->out, words)))
		fail_msg("%s: does not say '%s' but: %s%s", command, words,
			 o->out, o->err);
	t_output_fini(o);
}

void t_daemon_vexpect(struct t_daemon *d, int code, const char *words,
		      va_list ap)
{
	struct t_output o;
	const char *command = run_command(d, &o, ap);

	check_said(&o, command, code, words, false);
}

void t_daemon_expect(struct t_daemon *d, int code, const char *words, ...)
{
	va_list ap;

	va_start(ap, words);
	t_daemon_vexpect(d, code, words, ap);
	va_end(ap);
}

void t_daemon_refuse(struct t_daemon *d, int code, const char *words, ...)
{
	const char *command;
	struct t_output o;
	va_list ap;

	va_start(ap, words);
	command = run_command(d, &o, ap);
	va_end(ap);
	check_said(&o, command, code, words, true);
}

/* How often it has said, in this run, that it begins with its first root. */
static int count_begun(struct t_daemon *d)
{
	char *words = t_daemon_words(d);
	int n = 0;

	for (char *at = words; (at = strstr(at, ": as configured")) != NULL;
	     at++)
		n++;
	free(words);
	return n;
}

void t_daemon_reload(struct t_daemon *d)
{
	int before = count_begun(d);
	json_t *reply;

	t_daemon_expect(d, 0, NULL, "reload", NULL);
	while (count_begun(d) == before)
		assert_int_equal(t_process_wait(d->pid, 5), -1);
	while ((reply = t_daemon_ask(d, "{\"command\":\"ping\"}")) == NULL)
		assert_int_equal(t_process_wait(d->pid, 5), -1);
	json_decref(reply);
}

char *t_daemon_words(struct t_daemon *d)
{
	FILE *f = fopen(d->log, "r");
	char *text = calloc(1, 1 << 20);
	size_t n = 0;

	assert_non_null(text);
	if (f != NULL && fseek(f, (long)d->log_start, SEEK_SET) == 0)
		n = fread(text, 1, (1 << 20) - 1, f);
	text[n] = '\0';
	if (f != NULL)
		fclose(f);
	return text;
}

bool t_daemon_said(struct t_daemon *d, const char *text)
{
	char *words = t_daemon_words(d);
	bool found = strstr(words, text) != NULL;

	free(words);
	return found;
}

void t_daemon_await_words(struct t_daemon *d, const char *text)
{
	for (int ms = 0; !t_daemon_said(d, text); ms += 5) {
		if (ms >= FLUSH_MS)
			fail_msg("it does not say '%s'", text);
		assert_int_equal(t_process_wait(d->pid, 5), -1);
	}
}

void t_daemon_fini(struct t_daemon *d, bool show)
{
	char *words;

	if (d->pid != 0) {
		kill(d->pid, SIGCONT);
		kill(d->pid, SIGKILL);
		t_process_wait(d->pid, STOP_MS);
	}
	d->pid = 0;
	if (!show || d->dir[0] == '\0')
		return;
	d->log_start = 0;
	words = t_daemon_words(d);
	/* By itself: print_message() cuts what is long. */
	printf("--- what the daemon said:\n%s---\n", words);
	fflush(stdout);
	free(words);
}
