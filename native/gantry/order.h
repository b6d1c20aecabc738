/* The launch order: what the TypeScript half decided (docs/launch-plan.md, "The launch order"). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "json/json.h"

/* Bytes of one order; some ten thousand pods. */
#define LAUNCH_ORDER_MAX (2U << 20)

typedef struct OrderPod {
    const char *directory;
    const char *uuid;
    const char *name; /* may be empty */
} OrderPod;

typedef struct LaunchOrder {
    OrderPod *pods;
    size_t n_pods;
    bool foreground;
    bool terminal;
    bool stdin_wanted;
    Json *document; /* owns the strings */
} LaunchOrder;

/* Parses one line. -EBADMSG if it is no launch order. Free with launch_order_done(). */
int launch_order_parse(const char *line, size_t size, LaunchOrder *ret);
void launch_order_done(LaunchOrder *order);
