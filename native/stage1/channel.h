/* What launcher and app process say to each other over a socket pair that an execve closes. */
#pragma once

#include <sys/types.h>

#include "basic/failure.h"

typedef enum ReportKind {
    REPORT_PID,   /* app → launcher: its pid in the pod */
    REPORT_READY, /* app → launcher: everything but the filter and the program is done */
    REPORT_FAILED,
    REPORT_GO, /* launcher → app */
} ReportKind;

typedef struct Report {
    ReportKind kind;
    pid_t pid;
    Failure failure;
} Report;

int channel_open(int ret[2]);
int channel_send(int fd, const Report *report);
/* 1, 0 when the other side is gone or executed its program, -errno. */
int channel_receive(int fd, Report *ret);
