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
