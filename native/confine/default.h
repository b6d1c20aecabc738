/* The default profile as a filter. */
#pragma once

#include <linux/filter.h>
#include <stdint.h>

/* Makes the filter for an app with these capabilities in its bounding set; the caller frees it. -ENOMEM, -E2BIG. */
int default_filter_make(uint64_t capabilities, struct sock_filter **ret, unsigned short *ret_count);
