/* Exit facts: `started` in the app's status directory. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/boot.h"
#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"
#include "stage1/launch.h"

int status_open(Launch *launch, Failure *failure) {
    int r = directory_make(launch->plan->status);
    if (r < 0)
        return failure_set(failure, 0, -r, "%s", launch->plan->status);
    /* Kept open: the app's pivot takes our root away, too. */
    launch->status = open(launch->plan->status, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return launch->status < 0 ? failure_set(failure, 0, errno, "%s", launch->plan->status) : 0;
}

int status_prepare_started(Launch *launch, Failure *failure) {
    _cleanup_free_ char *text = NULL;
    int r = text_format(&text, "{\"version\":1,\"time\":%" PRIu64 ",\"boot\":\"%s\",\"pid\":%d}\n", realtime_usec(),
                        launch->boot, (int)launch->app);
    if (r >= 0)
        r = file_prepare(launch->status, "started", text, 0644, false, &launch->started);
    return r < 0 ? failure_set(failure, 0, -r, "%s/started", launch->plan->status) : 0;
}

int status_place_started(Launch *launch, Failure *failure) {
    _cleanup_free_ char *temporary = take_pointer(launch->started);
    int r = file_place(launch->status, temporary, "started", false);
    return r < 0 ? failure_set(failure, 0, -r, "%s/started", launch->plan->status) : 0;
}

void status_discard_started(Launch *launch) {
    if (launch->started)
        (void)unlinkat(launch->status, launch->started, 0);
}
