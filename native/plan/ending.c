#include "plan/ending.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"
#include "json/json.h"

#define EXIT_FACT_MAX 4096

int ending_read(const char *directory, Ending *ret) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    int64_t time, status;
    const char *code;
    size_t size;
    int r = text_format(&path, "%s/exit", directory);
    if (r >= 0)
        r = file_read(AT_FDCWD, path, EXIT_FACT_MAX, &text, &size);
    if (r < 0)
        return r;
    _cleanup_json_ Json *fact = NULL;
    const JsonField fields[] = {
        { "time", JSON_INTEGER, &time, false },
        { "code", JSON_TEXT, &code, false },
        { "status", JSON_INTEGER, &status, false },
        { 0 },
    };
    r = json_parse(text, size, &fact, NULL);
    if (r >= 0)
        r = json_read(fact, fields);
    if (r < 0)
        return r;
    if (time < 0 || status < 0 || status > 255)
        return -EBADMSG;
    bool exited = strcmp(code, "exited") == 0;
    *ret = (Ending){ strcmp(code, "none") == 0 ? 125 : (int)status + (exited ? 0 : 128), (uint64_t)time };
    return 0;
}

void first_failure_add(FirstFailure *first, const UnitSetApp *app) {
    Ending ending;
    if (ending_read(app->status, &ending) < 0)
        ending = (Ending){ .status = 125, .time = UINT64_MAX };
    if (ending.status == 0) /* as of a process that has ended well, but too late */
        ending.status = 1;
    if (!first->app || ending.time < first->ending.time)
        *first = (FirstFailure){ app, ending };
}

void failure_leave(const char *pod, const char *sentence) {
    _cleanup_free_ char *path = NULL;
    _cleanup_fd_ int fd = -1;
    if (text_format(&path, "/run/gantry/pods/%s/failure", pod) < 0)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)io_write_all(fd, sentence, strlen(sentence));
}
