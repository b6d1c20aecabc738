/* A plan as a whole: from its text to a structure that owns what it borrows. */
#pragma once

#include <stddef.h>

#include "plan/reader.h"

typedef struct PlanKind {
    const ObjectDetail *object; /* of the text's root */
    size_t size;                /* of the structure it is read into, which begins with the plan */
    size_t memory;              /* where the plan keeps its PlanMemory */
    int (*check)(Reader *reader, const void *plan); /* what no table can say; may be NULL */
} PlanKind;

/* As launch_plan_parse() and launch_plan_load() promise it. */
int plan_parse(const PlanKind *kind, const char *text, size_t size, void **ret, char **ret_sentence);
int plan_load(const PlanKind *kind, const char *path, void **ret, char **ret_sentence);

/* Frees a plan; NULL is none. */
void plan_free(const PlanKind *kind, void *plan);
