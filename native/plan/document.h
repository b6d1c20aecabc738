/* From a file or from bytes to a checked JSON document. */
#pragma once

#include <jansson.h>
#include <stddef.h>

/* Reads a root-owned regular file of at most 1 MiB; see launch_plan_load(). */
int document_read(const char *path, char **ret_text, size_t *ret_size, char **ret_sentence);

/* Parses strictly: UTF-8, no NUL, no duplicate keys, nothing behind the value. */
int document_parse(const char *text, size_t size, json_t **ret, char **ret_sentence);

/* Puts "<path>: " before the sentence. */
void sentence_prefix(const char *path, char **sentence);
