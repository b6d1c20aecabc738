#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX (16U << 20) /* systemd's are far below */
#define GROWTH 4096U

enum FieldCode {
    FIELD_PATH = 1,
    FIELD_INTERFACE = 2,
    FIELD_MEMBER = 3,
    FIELD_ERROR = 4,
    FIELD_REPLY_SERIAL = 5,
    FIELD_DESTINATION = 6,
    FIELD_SIGNATURE = 8,
};

static void field_put(Message *message, uint8_t code, const char *type, const char *value);
static void u32_set(Message *message, size_t place, uint32_t value);
static uint32_t u32_at(const uint8_t *bytes);
static int field_read(Received *message);
static bool value_begins(Received *message, size_t alignment, size_t size);
static const char *signature_read(Received *message);
static size_t aligned(size_t at, size_t to);

void message_begin(Message *message, const Call *call) {
    static const uint8_t head[] = { 'l', MESSAGE_CALL, 0, 1 };
    message->size = 0;
    message_put(message, head, sizeof head);
    message_put_u32(message, 0); /* the body's size and the serial: message_end() */
    message_put_u32(message, 0);
    Array fields = message_array_begin(message, 8);
    field_put(message, FIELD_PATH, "o", call->path);
    field_put(message, FIELD_INTERFACE, "s", call->interface);
    field_put(message, FIELD_MEMBER, "s", call->member);
    field_put(message, FIELD_DESTINATION, "s", "org.freedesktop.systemd1");
    field_put(message, FIELD_SIGNATURE, "g", call->signature);
    message_array_end(message, fields);
    message_align(message, 8);
    message->body = message->size;
}

void message_align(Message *message, size_t to) {
    static const uint8_t zeros[8];
    message_put(message, zeros, aligned(message->size, to) - message->size);
}

void message_put(Message *message, const void *bytes, size_t size) {
    if (message->room - message->size < size) {
        size_t room = message->size + size + GROWTH;
        uint8_t *grown = realloc(message->bytes, room);
        if (!grown) {
            message->failed = true;
            return;
        }
        message->bytes = grown;
        message->room = room;
    }
    if (size > 0)
        memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

void message_put_u32(Message *message, uint32_t value) {
    message_align(message, 4);
    message_put(message, &value, sizeof value);
}

void message_put_text(Message *message, const char *text) {
    size_t length = strlen(text);
    message_put_u32(message, (uint32_t)length);
    message_put(message, text, length + 1);
}

void message_put_signature(Message *message, const char *signature) {
    uint8_t length = (uint8_t)strlen(signature);
    message_put(message, &length, 1);
    message_put(message, signature, length + 1U);
}

/* The padding before the first element does not count as the array's. */
Array message_array_begin(Message *message, size_t alignment) {
    message_put_u32(message, 0);
    size_t length_at = message->size - 4;
    message_align(message, alignment);
    return (Array){ length_at, message->size };
}

void message_array_end(Message *message, Array array) {
    u32_set(message, array.length_at, (uint32_t)(message->size - array.begin));
}

int message_end(Message *message, uint32_t serial) {
    u32_set(message, 4, (uint32_t)(message->size - message->body));
    u32_set(message, 8, serial);
    return message->failed ? -ENOMEM : 0;
}

void message_done(Message *message) {
    free(message->bytes);
    *message = (Message){ 0 };
}

int message_size(const uint8_t head[static MESSAGE_HEAD], size_t *ret) {
    uint32_t body = u32_at(head + 4), fields = u32_at(head + 12);
    if (head[0] != 'l' || head[3] != 1 || body > MESSAGE_MAX || fields > MESSAGE_MAX)
        return -EBADMSG;
    *ret = aligned(MESSAGE_HEAD + fields, 8) + body;
    return 0;
}

int message_read(const uint8_t *bytes, size_t size, Received *ret) {
    size_t fields_end = MESSAGE_HEAD + u32_at(bytes + 12);
    if (fields_end > size)
        return -EBADMSG;
    Received message = { .type = bytes[1], .bytes = bytes, .size = fields_end, .at = MESSAGE_HEAD };
    while (message.at < fields_end) {
        int r = field_read(&message);
        if (r < 0)
            return r;
    }
    message.size = size;
    message.at = aligned(fields_end, 8);
    *ret = message;
    return 0;
}

const char *received_text(Received *message) {
    uint32_t length;
    if (!received_u32(message, &length) || !value_begins(message, 1, (size_t)length + 1))
        return NULL;
    const char *text = (const char *)message->bytes + message->at;
    message->at += (size_t)length + 1;
    return text[length] == '\0' ? text : NULL;
}

bool received_u32(Received *message, uint32_t *ret) {
    if (!value_begins(message, 4, 4))
        return false;
    *ret = u32_at(message->bytes + message->at);
    message->at += 4;
    return true;
}

bool received_variant(Received *message, const char *signature) {
    const char *found = signature_read(message);
    return found && strcmp(found, signature) == 0 && (signature[0] != '(' || value_begins(message, 8, 0));
}

static void field_put(Message *message, uint8_t code, const char *type, const char *value) {
    message_align(message, 8);
    message_put(message, &code, 1);
    message_put_signature(message, type);
    if (type[0] == 'g')
        message_put_signature(message, value);
    else
        message_put_text(message, value);
}

static void u32_set(Message *message, size_t place, uint32_t value) {
    if (!message->failed)
        memcpy(message->bytes + place, &value, sizeof value);
}

static uint32_t u32_at(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* A structure of a byte and a variant. */
static int field_read(Received *message) {
    if (!value_begins(message, 8, 1))
        return -EBADMSG;
    uint8_t code = message->bytes[message->at++];
    const char *type = signature_read(message), *text = NULL;
    uint32_t number = 0;
    if (!type)
        return -EBADMSG;
    bool read = *type == 'u'   ? received_u32(message, &number)
                : *type == 'g' ? signature_read(message) != NULL
                               : (*type == 's' || *type == 'o') && (text = received_text(message));
    if (!read)
        return -EBADMSG;
    if (code == FIELD_MEMBER)
        message->member = text;
    else if (code == FIELD_ERROR)
        message->error = text;
    else if (code == FIELD_REPLY_SERIAL)
        message->reply_serial = number;
    return 0;
}

static bool value_begins(Received *message, size_t alignment, size_t size) {
    size_t at = aligned(message->at, alignment);
    if (at > message->size || message->size - at < size)
        return false;
    message->at = at;
    return true;
}

static const char *signature_read(Received *message) {
    if (!value_begins(message, 1, 1))
        return NULL;
    size_t length = message->bytes[message->at++];
    if (!value_begins(message, 1, length + 1))
        return NULL;
    const char *text = (const char *)message->bytes + message->at;
    message->at += length + 1;
    return text[length] == '\0' ? text : NULL;
}

static size_t aligned(size_t at, size_t to) {
    return (at + to - 1) & ~(to - 1);
}
