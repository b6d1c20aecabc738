/* The end of a unit as systemd tells it to ExecStopPost=, and its form on disk. */
#pragma once

typedef struct Fact {
    const char *result; /* $SERVICE_RESULT */
    const char *code;   /* $EXIT_CODE: exited, killed or dumped; NULL: no main process ever ran */
    int status;         /* exit status or signal number; 0 without a main process */
} Fact;

/* From the environment, whose memory the fact shares. What is missing or strange reads as a failed start. */
void fact_read(Fact *ret);

/* Replaces `exit` in an app's status directory, durably. Returns 0 or -errno. */
int fact_write_exit(const char *directory, const Fact *fact);

/* Replaces `ended` in a pod's directory, durably. Returns 0 or -errno. */
int fact_write_ended(const char *directory, const Fact *fact);
