/*
 * D-Bus messages (D-Bus Specification, "Message Protocol"), little-endian as systemd writes them wherever this runs. Only
 * what it takes to start units. Lack of memory shows at a message's end; reading past an end yields nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Message {
    uint8_t *bytes;
    size_t size, room;
    size_t body; /* where it begins */
    bool failed; /* no memory */
} Message;

typedef struct Call {
    const char *path, *interface, *member;
    const char *signature; /* of the body */
} Call;

/* Where an array's length stands, and where its elements begin. */
typedef struct Array {
    size_t length_at, begin;
} Array;

/* Begins a method call to systemd; its body follows. */
void message_begin(Message *message, const Call *call);
void message_align(Message *message, size_t to);
void message_put(Message *message, const void *bytes, size_t size);
void message_put_u32(Message *message, uint32_t value);
void message_put_text(Message *message, const char *text);
void message_put_signature(Message *message, const char *signature);
/* `alignment` is the elements'. */
Array message_array_begin(Message *message, size_t alignment);
void message_array_end(Message *message, Array array);
/* Fills in what is known only now. -ENOMEM. */
int message_end(Message *message, uint32_t serial);
void message_done(Message *message);

typedef enum MessageType { MESSAGE_CALL = 1, MESSAGE_RETURN, MESSAGE_ERROR, MESSAGE_SIGNAL } MessageType;

/* One that was received; strings lie in its bytes. */
typedef struct Received {
    MessageType type;
    uint32_t reply_serial;
    const char *member, *error; /* NULL: has none */
    const uint8_t *bytes;
    size_t size, at; /* `at`: the next value of the body */
} Received;

#define MESSAGE_HEAD 16U

/* The size of the message that begins like this; -EBADMSG. */
int message_size(const uint8_t head[static MESSAGE_HEAD], size_t *ret);
int message_read(const uint8_t *bytes, size_t size, Received *ret);
const char *received_text(Received *message); /* NULL past the end */
bool received_u32(Received *message, uint32_t *ret);
/* Steps into a variant, and into a structure in it, whose value must be of this type. */
bool received_variant(Received *message, const char *signature);

static inline void message_cleanup(Message *message) {
    message_done(message);
}
#define _cleanup_message_ __attribute__((__cleanup__(message_cleanup)))
