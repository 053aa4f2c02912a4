/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/config_line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool jb_config_line_is_comment(const char *text)
{
	text += strspn(text, " \t");
	return *text == '#' || *text == ';';
}

void jb_config_line_fini(struct jb_config_line *l)
{
	free(l->text);
	l->text = NULL;
}

/* The length of the UTF-8 sequence at @s, 0 if there is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = *s < 0x80   ? 1
		   : *s < 0xc2 ? 0
		   : *s < 0xe0 ? 2
		   : *s < 0xf0 ? 3
		   : *s < 0xf5 ? 4
			       : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static int check_bytes(const struct jb_config_line *l, const char *text,
		       struct jb_error *err)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	for (; *s != '\0'; s += n) {
		n = utf8_length(s);
		if (n == 0)
			return jb_error_set(err, JB_ECONFIG, 0,
					    "%s:%d: byte 0x%02x is not UTF-8; "
					    "in a pattern write '?' for it",
					    l->file, l->n_read, *s);
		if ((*s < 0x20 && *s != '\t') || *s == 0x7f)
			return jb_error_set(err, JB_ECONFIG, 0,
					    "%s:%d: control character 0x%02x; "
					    "remove it",
					    l->file, l->n_read, *s);
	}
	return JB_OK;
}

/* Append one line of the file to l->text. */
static int append_line(struct jb_config_line *l, bool *ret_end,
		       struct jb_error *err)
{
	size_t begin = l->len;
	int c;

	errno = 0;
	c = getc_unlocked(l->stream);
	*ret_end = c == EOF;
	l->n_read += c != EOF;
	for (; c != EOF && c != '\n'; c = getc_unlocked(l->stream)) {
		if (c == '\0')
			return jb_error_set(err, JB_ECONFIG, 0,
					    "%s:%d: a NUL byte: this is no "
					    "text file",
					    l->file, l->n_read);
		if (l->len == JB_CONFIG_LINE_MAX - 1)
			return jb_error_set(err, JB_ECONFIG, 0,
					    "%s:%d: longer than %d bytes; give "
					    "the key several times, its values "
					    "add up",
					    l->file, l->n_read,
					    JB_CONFIG_LINE_MAX - 1);
		l->text[l->len++] = (char)c;
	}
	if (ferror(l->stream)) {
		jb_error_errno(err, errno, "%s: can't be read", l->file);
		return JB_EIO;
	}
	if (l->len > begin && l->text[l->len - 1] == '\r')
		l->len--;
	l->text[l->len] = '\0';
	return check_bytes(l, l->text + begin, err);
}

static void skip_byte_order_mark(struct jb_config_line *l)
{
	if (strncmp(l->text, "\xef\xbb\xbf", 3) != 0)
		return;
	l->len -= 3;
	memmove(l->text, l->text + 3, l->len + 1);
}

int jb_config_line_next(struct jb_config_line *l, bool *ret_end,
			struct jb_error *err)
{
	size_t begin;
	int rv;

	if (l->text == NULL)
		l->text = malloc(JB_CONFIG_LINE_MAX);
	if (l->text == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "%s", l->file);
	l->len = 0;
	rv = append_line(l, ret_end, err);
	if (rv != JB_OK || *ret_end)
		return rv;
	l->number = l->n_read;
	if (l->number == 1)
		skip_byte_order_mark(l);
	while (l->len > 0 && l->text[l->len - 1] == '\\' &&
	       !jb_config_line_is_comment(l->text)) {
		bool end;

		begin = --l->len;
		l->text[l->len++] = ' ';
		rv = append_line(l, &end, err);
		if (rv != JB_OK)
			return rv;
		if (end)
			break;
		if (jb_config_line_is_comment(l->text + begin)) {
			l->len = begin; /* a comment between joined lines */
			l->text[l->len++] = '\\';
		}
	}
	l->text[l->len] = '\0';
	return JB_OK;
}
