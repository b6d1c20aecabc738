#include "foreground.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <unistd.h>

#include "basic/boot.h"
#include "basic/cleanup.h"
#include "basic/text.h"
#include "output.h"
#include "plan/ending.h"
#include "relay/packet.h"
#include "report.h"
#include "terminal.h"

#define CHANGES_RULE                                                                                            \
    "type='signal',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',path='%s'"

#define ATTACH_PAUSE_USEC 500U

struct Foreground {
    Launch *launch;
    PodLaunch *pod;
    uint64_t since;    /* realtime: older exit facts are of an earlier run */
    int announced;     /* the pod's `started`, locked until we have attached; -1 */
    int client;        /* the sandbox's socket, -1 */
    int input_app;     /* who gets stdin; -1: nobody yet */
    bool ended;        /* the pod's unit has stopped */
    unsigned requests; /* SIGINT and SIGTERM so far */
    sd_event_source *attach_source;
    sd_event_source *client_source;
    sd_event_source *input_source;
    size_t pending;    /* bytes in `input` the socket has not taken */
    bool ending;       /* nor the end of standard input after them */
    uint8_t input[PACKET_BODY_MAX];
    Packet packet;
    Terminal terminal;
    Output output;
};

static int signals_take(Foreground *foreground);
static int changes_seen(sd_bus_message *message, void *userdata, sd_bus_error *error);
static bool state_ended(sd_bus_message *message);
static int attach_send(const Foreground *foreground, int fd);
static void attach_later(Foreground *foreground);
static int attach_again(sd_event_source *source, uint64_t now, void *userdata);
static int client_ready(sd_event_source *source, int fd, uint32_t events, void *userdata);
static void client_packet(Foreground *foreground);
static void client_lost(Foreground *foreground);
static void app_arrived(Foreground *foreground);
static int input_watch(Foreground *foreground);
static int input_ready(sd_event_source *source, int fd, uint32_t events, void *userdata);
static int input_turn(sd_event_source *source, void *userdata);
static void input_read(Foreground *foreground);
static void input_send(Foreground *foreground);
static int input_deliver(Foreground *foreground);
static void input_end(Foreground *foreground);
static unsigned input_stream(const Foreground *foreground);
static int signal_seen(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata);
static void window_send(const Foreground *foreground, int fd);
static void finish_if_over(Foreground *foreground);

int foreground_new(Launch *launch, PodLaunch *pod, Foreground **ret) {
    Foreground *foreground = calloc(1, sizeof *foreground);
    if (!foreground)
        return -ENOMEM;
    foreground->launch = launch;
    foreground->pod = pod;
    foreground->announced = foreground->client = foreground->input_app = -1;
    foreground->since = realtime_usec();
    output_init(&foreground->output, pod->set.n_apps > 1);
    int r = signals_take(foreground);
    if (r >= 0)
        r = foreground_watch(foreground);
    if (r < 0)
        foreground = foreground_free(foreground);
    else
        *ret = foreground;
    return r;
}

/* The pod may end without a job: a sandbox that was killed only changes its unit's state. */
int foreground_watch(Foreground *foreground) {
    _cleanup_free_ char *path = NULL, *rule = NULL;
    int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", foreground->pod->set.unit, &path);
    if (r >= 0)
        r = text_format(&rule, CHANGES_RULE, path);
    return r < 0 ? r : sd_bus_add_match(foreground->launch->bus, NULL, rule, changes_seen, foreground);
}

Foreground *foreground_free(Foreground *foreground) {
    if (!foreground)
        return NULL;
    terminal_restore(&foreground->terminal);
    sd_event_source_unref(foreground->attach_source);
    sd_event_source_unref(foreground->client_source);
    sd_event_source_unref(foreground->input_source);
    fd_close(&foreground->announced);
    fd_close(&foreground->client);
    free(foreground);
    return NULL;
}

/* The kernel lets go of the lock of a front that dies. Without it no app waits, and only its first words may be missed here. */
void foreground_announce(Foreground *foreground) {
    _cleanup_free_ char *path = NULL;
    if (text_format(&path, "%s/started", foreground->pod->pod->directory) < 0)
        return;
    foreground->announced = open(path, O_RDONLY | O_CLOEXEC);
    if (foreground->announced >= 0)
        (void)flock(foreground->announced, LOCK_EX | LOCK_NB);
}

/* Apps wait in their launcher until this has been heard, so nothing they say is lost. */
void foreground_attach(Foreground *foreground) {
    _cleanup_fd_ int fd = packet_connect(foreground->pod->set.socket);
    if (fd == -ENOENT || fd == -ECONNREFUSED)
        attach_later(foreground);
    if (fd < 0 || attach_send(foreground, fd) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return; /* the sandbox is gone again: its unit's end says why */
    if (sd_event_add_io(foreground->launch->event, &foreground->client_source, fd, EPOLLIN, client_ready, foreground) >= 0)
        foreground->client = fd_take(&fd);
    fd_close(&foreground->announced);
}

/* The size goes first: an app is let go when somebody has attached. */
static int attach_send(const Foreground *foreground, int fd) {
    if (foreground->launch->order->terminal)
        window_send(foreground, fd);
    return packet_send(fd, PACKET_ATTACH, 0, 0, NULL, 0);
}

/* The sandbox has been forked and has not come as far as its socket. */
static void attach_later(Foreground *foreground) {
    foreground->attach_source = sd_event_source_unref(foreground->attach_source);
    if (!foreground->ended)
        (void)sd_event_add_time_relative(foreground->launch->event, &foreground->attach_source, CLOCK_MONOTONIC,
                                         ATTACH_PAUSE_USEC, 1, attach_again, foreground);
}

static int attach_again(sd_event_source *source, uint64_t now, void *userdata) {
    (void)source;
    (void)now;
    foreground_attach(userdata);
    return 0;
}

void foreground_pod_ended(Foreground *foreground) {
    foreground->ended = true;
    finish_if_over(foreground);
}

int foreground_status(const Foreground *foreground) {
    const UnitSet *set = &foreground->pod->set;
    uint64_t first = UINT64_MAX;
    int status = 0;
    for (size_t i = 0; i < set->n_apps; i++) {
        Ending ending = { .status = 125, .time = UINT64_MAX - 1 };
        int r = ending_read(set->apps[i].status, &ending);
        if (r >= 0 && ending.time < foreground->since)
            ending = (Ending){ .status = 125, .time = UINT64_MAX - 1 };
        if (ending.status != 0 && ending.time < first) {
            first = ending.time;
            status = ending.status;
        }
    }
    return status;
}

static int signals_take(Foreground *foreground) {
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return -errno;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        int r = sd_event_add_signal(foreground->launch->event, NULL, signals[i], signal_seen, foreground);
        if (r < 0)
            return r;
    }
    return 0;
}

static int changes_seen(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    Foreground *foreground = userdata;
    (void)error;
    /* Before the pod is up, its end is the launch's affair, which also knows the state before the start. */
    if (foreground->pod->phase == POD_UP && state_ended(message))
        foreground_pod_ended(foreground);
    return 0;
}

/* PropertiesChanged(s interface, a{sv} changed, as invalidated): is ActiveState a state of rest? */
static bool state_ended(sd_bus_message *message) {
    const char *interface, *name, *state;
    if (sd_bus_message_read(message, "s", &interface) < 0 || strcmp(interface, "org.freedesktop.systemd1.Unit") != 0 ||
        sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "{sv}") < 0)
        return false;
    while (sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv") > 0) {
        if (sd_bus_message_read(message, "s", &name) < 0)
            return false;
        if (strcmp(name, "ActiveState") == 0)
            return sd_bus_message_read(message, "v", "s", &state) >= 0 &&
                   (strcmp(state, "inactive") == 0 || strcmp(state, "failed") == 0);
        if (sd_bus_message_skip(message, "v") < 0 || sd_bus_message_exit_container(message) < 0)
            return false;
    }
    return false;
}

static int client_ready(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    Foreground *foreground = userdata;
    (void)source;
    (void)fd;
    if (events & EPOLLOUT)
        input_send(foreground);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        client_packet(foreground);
    return 0;
}

static void client_packet(Foreground *foreground) {
    Packet *packet = &foreground->packet;
    int r = packet_receive(foreground->client, packet, NULL);
    if (r == -EAGAIN)
        return;
    if (r <= 0) {
        client_lost(foreground);
        return;
    }
    if (packet->head.type == PACKET_APP)
        app_arrived(foreground);
    /* Nobody reads here any more: the pod has lost its user, as a program writing into a closed pipe has. */
    if (packet->head.type == PACKET_DATA && output_write(&foreground->output, packet) == -EPIPE)
        (void)manager_call(foreground->launch->bus, "StopUnit", foreground->pod->set.unit, "replace");
}

static void client_lost(Foreground *foreground) {
    foreground->client_source = sd_event_source_unref(foreground->client_source);
    foreground->input_source = sd_event_source_unref(foreground->input_source);
    fd_close(&foreground->client);
    finish_if_over(foreground);
}

static void app_arrived(Foreground *foreground) {
    const Packet *packet = &foreground->packet;
    const LaunchOrder *order = foreground->launch->order;
    output_name(&foreground->output, packet->head.app, (const char *)packet->body, packet->head.length);
    if (packet->head.stream != input_stream(foreground))
        return;
    foreground->input_app = packet->head.app; /* one that is started again may have another index */
    if (order->terminal) {
        (void)terminal_raw(&foreground->terminal);
        window_send(foreground, foreground->client);
    }
    if ((order->terminal || order->stdin_wanted) && !foreground->input_source && input_watch(foreground) < 0)
        input_end(foreground);
}

/* epoll refuses regular files and /dev/null, which are always readable: those are read in turns of the loop. */
static int input_watch(Foreground *foreground) {
    sd_event *event = foreground->launch->event;
    int r = sd_event_add_io(event, &foreground->input_source, STDIN_FILENO, EPOLLIN, input_ready, foreground);
    if (r != -EPERM)
        return r;
    r = sd_event_add_defer(event, &foreground->input_source, input_turn, foreground);
    return r < 0 ? r : sd_event_source_set_enabled(foreground->input_source, SD_EVENT_ON);
}

static int input_ready(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    (void)source;
    (void)fd;
    (void)events;
    input_read(userdata);
    return 0;
}

static int input_turn(sd_event_source *source, void *userdata) {
    (void)source;
    input_read(userdata);
    return 0;
}

static void input_read(Foreground *foreground) {
    ssize_t got = read(STDIN_FILENO, foreground->input, sizeof foreground->input);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        input_end(foreground);
        return;
    }
    foreground->pending = (size_t)got;
    input_send(foreground);
}

/* While the app does not take its input, none is read here. */
static void input_send(Foreground *foreground) {
    bool full = input_deliver(foreground) == -EAGAIN;
    (void)sd_event_source_set_io_events(foreground->client_source, EPOLLIN | (full ? EPOLLOUT : 0U));
    if (foreground->input_source)
        (void)sd_event_source_set_enabled(foreground->input_source, full ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int input_deliver(Foreground *foreground) {
    unsigned stream = input_stream(foreground), app = (unsigned)foreground->input_app;
    int r = 0;
    if (foreground->pending > 0)
        r = packet_send(foreground->client, PACKET_DATA, stream, app, foreground->input, foreground->pending);
    if (r == -EAGAIN)
        return r;
    foreground->pending = 0;
    if (foreground->ending)
        r = packet_send(foreground->client, PACKET_EOF, stream, app, NULL, 0);
    foreground->ending = foreground->ending && r == -EAGAIN;
    return r;
}

static void input_end(Foreground *foreground) {
    foreground->input_source = sd_event_source_unref(foreground->input_source);
    foreground->ending = true;
    input_send(foreground);
}

static unsigned input_stream(const Foreground *foreground) {
    return foreground->launch->order->terminal ? STREAM_TERMINAL : STREAM_STDIN;
}

/* The apps get the signal; who asks twice to end gets the pod's end. */
static int signal_seen(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    Foreground *foreground = userdata;
    const UnitSet *set = &foreground->pod->set;
    int number = (int)info->ssi_signo;
    (void)source;
    if (number == SIGWINCH) {
        window_send(foreground, foreground->client);
        return 0;
    }
    bool ending = number == SIGINT || number == SIGTERM;
    if (ending && (foreground->requests++ > 0 || foreground->pod->phase != POD_UP))
        (void)manager_call(foreground->launch->bus, "StopUnit", set->unit, "replace");
    else
        for (size_t i = 0; i < set->n_apps; i++)
            manager_kill(foreground->launch->bus, set->apps[i].unit, "main", number);
    return 0;
}

static void window_send(const Foreground *foreground, int fd) {
    uint16_t size[2];
    unsigned app = foreground->input_app < 0 ? 0 : (unsigned)foreground->input_app;
    if (fd >= 0 && terminal_size(&size[0], &size[1]) >= 0)
        (void)packet_send(fd, PACKET_RESIZE, STREAM_TERMINAL, app, size, sizeof size);
}

static void finish_if_over(Foreground *foreground) {
    if (foreground->ended && foreground->client < 0)
        (void)sd_event_exit(foreground->launch->event, 0);
}
