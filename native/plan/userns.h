/* Values that both plans have. */
#pragma once

#include "plan/reader.h"

/* A UsernsPlan: {"mode":"pod","base","size"} or {"mode":"host"}. */
int read_userns(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);

/* A path that fits sockaddr_un. */
int read_socket_path(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);

/* A host name as sethostname(2) takes it: 1 to 64 bytes of letters, digits, '-', '.'. */
int read_hostname(Reader *reader, const KeyPath *path, const Json *value, void *target, const void *detail);
