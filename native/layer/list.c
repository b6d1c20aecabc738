#include "layer/list.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/cleanup.h"

int list_open(struct List *ret_list, int directory, const char *name) {
    _cleanup_fd_ int fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    FILE *file = fdopen(fd, "w+");
    if (!file)
        return -errno;
    (void)fd_take(&fd);
    *ret_list = (struct List){ .file = file };
    return 0;
}

static const char hex_digits[] = "0123456789ABCDEF";

static char *path_append(const char *path, char *at) {
    for (const unsigned char *byte = (const unsigned char *)path; *byte; byte++) {
        if (*byte > ' ' && *byte < 0x7f && *byte != '%') {
            *at++ = (char)*byte;
            continue;
        }
        *at++ = '%';
        *at++ = hex_digits[*byte >> 4];
        *at++ = hex_digits[*byte & 15];
    }
    return at;
}

void list_path_encode(const char *path, char *ret) {
    *path_append(path, ret) = '\0';
}

static int digit_value(char digit) {
    const char *found = digit ? strchr(hex_digits, digit) : NULL;
    return found ? (int)(found - hex_digits) : -1;
}

int list_path_decode(char *text) {
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = digit_value(from[1]), low = high < 0 ? -1 : digit_value(from[2]);
        if (low < 0 || high + low == 0)
            return -EBADMSG;
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = '\0';
    return 0;
}

/* Nanoseconds since 1970 as a decimal number; seconds times 10^9 overflow 64 bits after the year 2262. */
static int time_print(char *buffer, size_t size, struct timespec time) {
    int64_t seconds = time.tv_sec;
    long nanoseconds = time.tv_nsec;
    bool negative = seconds < 0;
    if (negative && nanoseconds > 0) {
        seconds++;
        nanoseconds = 1000000000 - nanoseconds;
    }
    uint64_t absolute = negative ? -(uint64_t)seconds : (uint64_t)seconds;
    const char *sign = negative && (absolute || nanoseconds) ? "-" : "";
    if (absolute == 0)
        return snprintf(buffer, size, "%s%ld", sign, nanoseconds);
    return snprintf(buffer, size, "%s%" PRIu64 "%09ld", sign, absolute, nanoseconds);
}

int list_write(struct List *list, const struct ListLine *line) {
    char text[6 * LIST_PATH_MAX + 256];
    char time[48];
    (void)time_print(time, sizeof(time), line->time);
    int used = snprintf(text, 256, "%c %o %" PRIu32 " %" PRIu32 " %" PRIu64 " %s %s", line->type,
                        (unsigned)(line->mode & 07777), line->uid, line->gid, line->size, time,
                        line->target ? "" : line->digest ? line->digest : "-");
    char *end = line->target ? path_append(line->target, text + used) : text + used;
    *end++ = ' ';
    end = path_append(line->path, end);
    *end++ = '\n';
    size_t size = (size_t)(end - text);
    return fwrite_unlocked(text, 1, size, list->file) == size ? 0 : -errno;
}

int list_rewind(struct List *list) {
    if (fflush(list->file) != 0)
        return -errno;
    rewind(list->file);
    return 0;
}

int list_finish(struct List *list, const struct ListLine *line) {
    if (fseek(list->file, 0, SEEK_END) != 0)
        return -errno;
    int r = list_write(list, line);
    return r == 0 && fflush(list->file) != 0 ? -errno : r;
}

/* The inverse of time_print(). */
static struct timespec time_scan(const char *text) {
    bool negative = *text == '-';
    text += negative;
    size_t digits = strspn(text, "0123456789");
    char nanoseconds[10] = { 0 };
    size_t tail = digits < 9 ? digits : 9;
    memcpy(nanoseconds, text + digits - tail, tail);
    long fraction = strtol(nanoseconds, NULL, 10);
    uint64_t seconds = 0;
    for (size_t i = 0; i + 9 < digits; i++)
        seconds = seconds * 10 + (uint64_t)(text[i] - '0');
    if (!negative)
        return (struct timespec){ .tv_sec = (time_t)seconds, .tv_nsec = fraction };
    if (fraction == 0)
        return (struct timespec){ .tv_sec = (time_t)-seconds };
    return (struct timespec){ .tv_sec = (time_t)(-seconds - 1), .tv_nsec = 1000000000 - fraction };
}

static int number_scan(const char *text, int base, uint64_t max, uint64_t *ret) {
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, base);
    if (!isdigit((unsigned char)*text) || *end || errno || number > max)
        return -EBADMSG;
    *ret = number;
    return 0;
}

static int fields_split(char *text, char **ret_fields) {
    for (int i = 0; i < 8; i++) {
        ret_fields[i] = strsep(&text, " ");
        if (!ret_fields[i] || !*ret_fields[i])
            return -EBADMSG;
    }
    return text ? -EBADMSG : 0;
}

int list_parse(char *text, struct ListLine *ret_line) {
    char *fields[8]; /* TYPE MODE UID GID SIZE MTIME_NS DIGEST PATH */
    uint64_t mode, uid, gid, size;
    if (fields_split(text, fields) < 0 || fields[0][1] || number_scan(fields[1], 8, 07777, &mode) < 0 ||
        number_scan(fields[2], 10, UINT32_MAX, &uid) < 0 || number_scan(fields[3], 10, UINT32_MAX, &gid) < 0 ||
        number_scan(fields[4], 10, UINT64_MAX, &size) < 0 || list_path_decode(fields[6]) < 0 || list_path_decode(fields[7]) < 0)
        return -EBADMSG;
    size_t sign = fields[5][0] == '-';
    if (!fields[5][sign] || strspn(fields[5] + sign, "0123456789") != strlen(fields[5] + sign))
        return -EBADMSG;
    bool link = fields[0][0] == 'h';
    *ret_line = (struct ListLine){
        .type = fields[0][0],
        .mode = (mode_t)mode,
        .uid = (uint32_t)uid,
        .gid = (uint32_t)gid,
        .size = size,
        .time = time_scan(fields[5]),
        .digest = link || strcmp(fields[6], "-") == 0 ? NULL : fields[6],
        .target = link ? fields[6] : NULL,
        .path = fields[7],
    };
    return 0;
}

int list_read(struct List *list, struct ListItem *ret_item) {
    errno = 0;
    if (getline(&list->line, &list->line_size, list->file) < 0)
        return errno ? -errno : 0;
    ret_item->type = list->line[0];
    char *field = list->line;
    for (int i = 0; i < 7; i++) { /* TYPE MODE UID GID SIZE MTIME_NS DIGEST PATH */
        field = strchr(field, ' ');
        if (!field)
            return -EBADMSG;
        field++;
        if (i == 4)
            ret_item->time = time_scan(field);
    }
    field[strcspn(field, "\n")] = '\0';
    if (list_path_decode(field) < 0 || strlen(field) >= LIST_PATH_MAX)
        return -EBADMSG;
    strcpy(ret_item->path, field);
    return 1;
}

void list_close(struct List *list) {
    if (list->file)
        (void)fclose(list->file);
    free(list->line);
    *list = (struct List){ 0 };
}
