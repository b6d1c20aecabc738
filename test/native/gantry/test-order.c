/* Launch orders as the TypeScript half writes them, and what must not pass for one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gantry/order.h"

#define POD "{\"directory\":\"/var/lib/gantry/pods/0123456789abcdef0123456789abcdef\",\"uuid\":\"0123456789abcdef0123456789abcdef\",\"name\":\"web\"}"
#define REST "\"terminal\":false,\"stdin\":true}"

static const struct {
    const char *line;
    int result;
} orders[] = {
    { "{\"version\":1,\"pods\":[" POD "],\"attach\":\"foreground\"," REST, 0 },
    { "{\"version\":1,\"pods\":[" POD "," POD "],\"attach\":\"detach\"," REST, 0 },
    { "{\"version\":1,\"pods\":[" POD "," POD "],\"attach\":\"foreground\"," REST, -EBADMSG },
    { "{\"version\":1,\"pods\":[],\"attach\":\"detach\"," REST, -EBADMSG },
    { "{\"version\":2,\"pods\":[" POD "],\"attach\":\"detach\"," REST, -EBADMSG },
    { "{\"version\":1,\"pods\":[" POD "],\"attach\":\"later\"," REST, -EBADMSG },
    { "{\"version\":1,\"pods\":[" POD "],\"attach\":\"detach\",\"more\":1," REST, -EBADMSG },
    { "{\"version\":1,\"pods\":[{\"directory\":\"../x\",\"uuid\":\"0\",\"name\":\"\"}],\"attach\":\"detach\"," REST, -EBADMSG },
    { "{\"version\":1,\"pods\":{},\"attach\":\"detach\"," REST, -EBADMSG },
    { "nonsense", -EBADMSG },
    { "", -EBADMSG },
};

int main(void) {
    int failures = 0;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        LaunchOrder order = { 0 };
        int r = launch_order_parse(orders[i].line, strlen(orders[i].line), &order);
        if (r != orders[i].result) {
            fprintf(stderr, "%s: %d, expected %d\n", orders[i].line, r, orders[i].result);
            failures++;
        }
        if (r == 0 && (strcmp(order.pods[0].name, "web") != 0 || order.terminal || !order.stdin_wanted)) {
            fprintf(stderr, "%s: misread\n", orders[i].line);
            failures++;
        }
        launch_order_done(&order);
    }
    return failures > 0;
}
