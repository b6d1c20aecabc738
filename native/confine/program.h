/* The program an app consists of: its environment, finding it, executing it. */
#pragma once

#include "basic/failure.h"
#include "plan/plan.h"

/* The variables of `env`, with `HOME=<home>` when they have none, and those of `extra` (NAME=VALUE) instead of variables
 * of their names. NULL: out of memory. Freed with environment_free(). */
char **environment_make(const TextList *env, const char *home, const TextList *extra);
char **environment_free(char **environment);

/* Executes as execvp(3) would, but with `environment`'s own PATH, and without its fallback to a shell. Returns only on
 * failure, with 203 EXEC and a sentence that tells a missing program from one that is a directory, may not be
 * executed or lacks its interpreter. */
int program_execute(const TextList *args, char **environment, Failure *failure);
