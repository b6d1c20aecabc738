/* The file a document is read from, and sentences that name it. */
#pragma once

#include <stddef.h>

/* Reads a root-owned regular file of at most 1 MiB; see launch_plan_load(). */
int document_read(const char *path, char **ret_text, size_t *ret_size, char **ret_sentence);

/* Puts "<path>: " before the sentence. */
void sentence_prefix(const char *path, char **sentence);
