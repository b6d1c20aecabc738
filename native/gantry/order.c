#include "order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/path.h"
#include "json/json.h"

static int pod_parse(const Json *value, OrderPod *ret);

int launch_order_parse(const char *line, size_t size, LaunchOrder *ret) {
    _cleanup_json_ Json *document = NULL;
    const Json *pods;
    const char *attach;
    int64_t version;
    bool terminal, stdin_wanted;
    const JsonField fields[] = {
        { "version", JSON_INTEGER, &version, false },
        { "pods", JSON_ARRAY, &pods, false },
        { "attach", JSON_TEXT, &attach, false },
        { "terminal", JSON_BOOL, &terminal, false },
        { "stdin", JSON_BOOL, &stdin_wanted, false },
        { 0 },
    };
    int r = json_parse(line, size, &document, NULL);
    if (r >= 0)
        r = json_read_exactly(document, fields);
    if (r < 0)
        return r;
    bool foreground = strcmp(attach, "foreground") == 0;
    if (version != 1 || (!foreground && strcmp(attach, "detach") != 0))
        return -EBADMSG;
    size_t count = json_count(pods);
    if (count == 0 || (foreground && count != 1))
        return -EBADMSG;
    _cleanup_free_ OrderPod *parsed = calloc(count, sizeof *parsed);
    if (!parsed)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (pod_parse(json_element(pods, i), &parsed[i]) < 0)
            return -EBADMSG;
    *ret = (LaunchOrder){ take_pointer(parsed), count, foreground, terminal, stdin_wanted, take_pointer(document) };
    return 0;
}

void launch_order_done(LaunchOrder *order) {
    free(order->pods);
    json_free(order->document);
    *order = (LaunchOrder){ 0 };
}

static int pod_parse(const Json *value, OrderPod *ret) {
    const JsonField fields[] = {
        { "directory", JSON_TEXT, &ret->directory, false },
        { "uuid", JSON_TEXT, &ret->uuid, false },
        { "name", JSON_TEXT, &ret->name, false },
        { 0 },
    };
    if (json_read_exactly(value, fields) < 0)
        return -EBADMSG;
    return path_is_safe(ret->directory) ? 0 : -EBADMSG;
}
