/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/output.h - bytes, times and figures as people and programs read
 * them. Names in a file system are arbitrary bytes: none reaches a terminal or
 * a JSON text as it is. One thread. */
#ifndef JB_CLI_OUTPUT_H
#define JB_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JB_OUT_COUNT_MAX 32

/* May colours be used on @f? A terminal, and NO_COLOR is not set. */
bool jb_out_has_colour(FILE *f);

/* For people: control characters, what is not UTF-8, what turns the direction
 * of writing, and the backslash itself are written as \n, \x1b, \\. */
void jb_out_text(FILE *f, const char *bytes, size_t len);
/* The same as a string, to be freed; NULL: no memory. */
char *jb_out_text_dup(const char *bytes, size_t len);

/* As they are; fast. */
void jb_out_put(FILE *f, const char *text);
void jb_out_int(FILE *f, int64_t n);

bool jb_out_is_utf8(const char *bytes, size_t len);

/* A JSON string of valid UTF-8, with its quotes. */
void jb_out_json_string(FILE *f, const char *text, size_t len);

/* ,"key":"path" or, if it is not UTF-8, ,"key_b64":"cGF0aA==" */
void jb_out_json_path(FILE *f, const char *key, const char *bytes, size_t len);

/* "2026-11-23T13:10:05.123456Z" with quotes, from microseconds, and with nine
 * digits from nanoseconds. */
void jb_out_json_time_us(FILE *f, int64_t us);
void jb_out_json_time_ns(FILE *f, int64_t ns);

/* Local time with milliseconds: "2026-11-23 14:10:05.123". */
void jb_out_time(FILE *f, int64_t us);

/* "1,234,567" into @buf, which it returns. */
const char *jb_out_count(int64_t n, char buf[JB_OUT_COUNT_MAX]);

/* Could something not be written? To be asked right after it was. */
bool jb_out_has_failed(FILE *f);

/* Flush. 0, or 1 when something could not be written (reported); a reader
 * that went away is no failure. */
int jb_out_finish(FILE *f);

#endif
