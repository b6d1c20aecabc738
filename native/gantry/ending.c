#include "ending.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "basic/cleanup.h"
#include "basic/io.h"
#include "basic/text.h"
#include "json.h"

#define EXIT_FACT_MAX 4096

int ending_read(const char *directory, Ending *ret) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    json_int_t time, status;
    const char *code;
    int r = text_format(&path, "%s/exit", directory);
    if (r >= 0)
        r = file_read(AT_FDCWD, path, EXIT_FACT_MAX, &text, NULL);
    if (r < 0)
        return r;
    _cleanup_json_ json_t *fact = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!fact || json_unpack(fact, "{s:I, s:s, s:I}", "time", &time, "code", &code, "status", &status) < 0 || time < 0 ||
        status < 0 || status > 255)
        return -EBADMSG;
    bool exited = strcmp(code, "exited") == 0;
    *ret = (Ending){ strcmp(code, "none") == 0 ? 125 : (int)status + (exited ? 0 : 128), (uint64_t)time };
    return 0;
}
