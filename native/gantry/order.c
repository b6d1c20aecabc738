#include "order.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/path.h"
#include "json.h"

static int pod_parse(json_t *value, OrderPod *ret);

int launch_order_parse(const char *line, size_t size, LaunchOrder *ret) {
    _cleanup_json_ json_t *document = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *pods = NULL;
    const char *attach = NULL;
    int version = 0, terminal = 0, stdin_wanted = 0;
    if (!document || json_unpack(document, "{s:i, s:o, s:s, s:b, s:b !}", "version", &version, "pods", &pods, "attach",
                                 &attach, "terminal", &terminal, "stdin", &stdin_wanted) < 0)
        return -EBADMSG;
    bool foreground = strcmp(attach, "foreground") == 0;
    if (version != 1 || !json_is_array(pods) || (!foreground && strcmp(attach, "detach") != 0))
        return -EBADMSG;
    size_t count = json_array_size(pods);
    if (count == 0 || (foreground && count != 1))
        return -EBADMSG;
    _cleanup_free_ OrderPod *parsed = calloc(count, sizeof *parsed);
    if (!parsed)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (pod_parse(json_array_get(pods, i), &parsed[i]) < 0)
            return -EBADMSG;
    *ret = (LaunchOrder){ take_pointer(parsed), count, foreground, terminal, stdin_wanted, take_pointer(document) };
    return 0;
}

void launch_order_done(LaunchOrder *order) {
    free(order->pods);
    json_decref(order->document);
    *order = (LaunchOrder){ 0 };
}

static int pod_parse(json_t *value, OrderPod *ret) {
    if (json_unpack(value, "{s:s, s:s, s:s !}", "directory", &ret->directory, "uuid", &ret->uuid, "name", &ret->name) < 0)
        return -EBADMSG;
    return path_is_safe(ret->directory) ? 0 : -EBADMSG;
}
