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
#include "call.h"
#include "input.h"
#include "loss.h"
#include "output.h"
#include "plan/ending.h"
#include "relay/packet.h"
#include "report.h"
#include "terminal.h"

#define CHANGES_RULE                                                                                            \
    "type='signal',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',path='%s'"

#define ATTACH_PAUSE_USEC 500U
#define HURRY_PAUSE_USEC 300000U /* at an app's end the sandbox waits for us ten times as long (native/relay/app.c) */

/* An app of which the sandbox has told, by its index. */
typedef struct Followed {
    const UnitSetApp *app; /* NULL: nothing more comes of it */
    uint64_t since;        /* realtime: older exit facts are of an earlier process */
} Followed;

struct Foreground {
    Launch *launch;
    PodLaunch *pod;
    uint64_t since;    /* realtime: older exit facts are of an earlier run */
    int announced;     /* the pod's `started`, locked until we have attached; -1 */
    int client;        /* the sandbox's socket, -1 */
    bool ended;        /* the pod's unit has stopped */
    unsigned requests; /* SIGINT and SIGTERM so far */
    sigset_t unheard;  /* signals that were lost with the connection */
    sd_event_source *attach_source;
    sd_event_source *client_source;
    Loss loss;
    sd_event_source *output_source[2]; /* stdout and stderr, while they take no more */
    sd_event_source *hurry_source;
    bool hurried;      /* an app is at its end: what it has said is taken whether somebody reads here or not */
    Followed app[OUTPUT_APPS_MAX];
    const char *cut;   /* an app that said more than came here; NULL: none did */
    Packet packet;
    Terminal terminal;
    Input input;
    Output output;
};

static int apps_status(const Foreground *foreground);
static int signals_take(Foreground *foreground);
static int changes_seen(sd_bus_message *message, void *userdata, sd_bus_error *error);
static bool state_ended(sd_bus_message *message);
static int attach_send(const Foreground *foreground, int fd);
static void attach_later(Foreground *foreground);
static int attach_again(sd_event_source *source, uint64_t now, void *userdata);
static int client_ready(sd_event_source *source, int fd, uint32_t events, void *userdata);
static void client_lost(Foreground *foreground);
static void app_arrived(Foreground *foreground);
static const UnitSetApp *app_named(const Foreground *foreground, const char *name);
static void app_left(Foreground *foreground, unsigned index);
static void app_cut(Foreground *foreground, unsigned index);
static void output_arrived(Foreground *foreground);
static void output_write(Foreground *foreground, int fd);
static int output_ready(sd_event_source *source, int fd, uint32_t events, void *userdata);
static void client_watch(Foreground *foreground);
static int hurry_if_due(sd_event_source *source, uint64_t now, void *userdata);
static PacketStream input_stream(const Foreground *foreground);
static int signal_seen(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata);
static void apps_signal(Foreground *foreground, int number);
static void window_send(const Foreground *foreground, int fd);
static void finish_if_over(Foreground *foreground);

int foreground_new(Launch *launch, PodLaunch *pod, Foreground **ret) {
    Foreground *foreground = calloc(1, sizeof *foreground);
    if (!foreground)
        return -ENOMEM;
    foreground->launch = launch;
    foreground->pod = pod;
    foreground->announced = foreground->client = foreground->input.socket = -1;
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
    sd_event_source_unref(foreground->output_source[0]);
    sd_event_source_unref(foreground->output_source[1]);
    sd_event_source_unref(foreground->hurry_source);
    input_close(&foreground->input);
    output_done(&foreground->output);
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
    sd_event *event = foreground->launch->event;
    if (input_open(&foreground->input, event, fd, input_stream(foreground)) >= 0 &&
        sd_event_add_io(event, &foreground->client_source, fd, EPOLLIN, client_ready, foreground) >= 0)
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
    foreground->ended = foreground->hurried = true;
    client_watch(foreground);
    finish_if_over(foreground);
}

int foreground_status(const Foreground *foreground) {
    int status = apps_status(foreground);
    if (foreground->cut)
        report_print(foreground->pod->pod, foreground->cut, "not all of its output came here; the journal has the rest");
    status = loss_tell(&foreground->loss, status);
    return status == 0 && (foreground->cut || output_waits(&foreground->output)) ? 125 : status;
}

static int apps_status(const Foreground *foreground) {
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
    const Packet *packet = &foreground->packet;
    (void)source;
    (void)events;
    int r = packet_receive(fd, &foreground->packet, NULL);
    if (r == -EAGAIN)
        return 0;
    if (r <= 0)
        client_lost(foreground);
    else if (packet->head.type == PACKET_APP)
        app_arrived(foreground);
    else if (packet->head.type == PACKET_ENDED)
        app_left(foreground, packet->head.app);
    else if (packet->head.type == PACKET_DATA)
        output_arrived(foreground);
    return 0;
}

/* An app whose end has not been told has been left behind: nobody read here in time, or the sandbox was killed. */
static void client_lost(Foreground *foreground) {
    foreground->client_source = sd_event_source_unref(foreground->client_source);
    input_close(&foreground->input);
    fd_close(&foreground->client);
    for (unsigned i = 0; i < OUTPUT_APPS_MAX; i++)
        app_cut(foreground, i);
    finish_if_over(foreground);
}

/* One that is started again may have another index. */
static void app_arrived(Foreground *foreground) {
    const Packet *packet = &foreground->packet;
    unsigned index = packet->head.app % OUTPUT_APPS_MAX;
    app_cut(foreground, index);
    output_name(&foreground->output, index, (const char *)packet->body, packet->head.length);
    foreground->app[index] = (Followed){ app_named(foreground, foreground->output.app[index].name), realtime_usec() };
    if (packet->head.stream != input_stream(foreground))
        return;
    input_give(&foreground->input, index);
    if (foreground->launch->order->terminal) {
        (void)terminal_raw(&foreground->terminal);
        window_send(foreground, foreground->client);
    }
}

static const UnitSetApp *app_named(const Foreground *foreground, const char *name) {
    const UnitSet *set = &foreground->pod->set;
    for (size_t i = 0; i < set->n_apps; i++)
        if (strcmp(set->apps[i].name, name) == 0)
            return &set->apps[i];
    return NULL;
}

static void app_left(Foreground *foreground, unsigned index) {
    foreground->app[index % OUTPUT_APPS_MAX].app = NULL;
    foreground->hurried = foreground->ended;
    client_watch(foreground);
}

static void app_cut(Foreground *foreground, unsigned index) {
    if (foreground->app[index].app)
        foreground->cut = foreground->app[index].app->name;
    foreground->app[index].app = NULL;
}

static void output_arrived(Foreground *foreground) {
    if (output_take(&foreground->output, &foreground->packet) < 0)
        app_cut(foreground, foreground->packet.head.app % OUTPUT_APPS_MAX);
    output_write(foreground, STDOUT_FILENO);
    output_write(foreground, STDERR_FILENO);
    client_watch(foreground);
}

static void output_write(Foreground *foreground, int fd) {
    sd_event_source **source = &foreground->output_source[fd == STDERR_FILENO];
    int r = output_flush(&foreground->output, fd);
    loss_note(&foreground->loss, fd, r);
    if (r != -EAGAIN)
        *source = sd_event_source_unref(*source);
    else if (!*source)
        (void)sd_event_add_io(foreground->launch->event, source, fd, EPOLLOUT, output_ready, foreground);
    /* Nobody reads here any more: the pod has lost its user, as a program writing into a closed pipe has. */
    if (r == -EPIPE)
        pod_stop(foreground->pod);
}

static int output_ready(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    Foreground *foreground = userdata;
    (void)source;
    (void)events;
    output_write(foreground, fd);
    client_watch(foreground);
    finish_if_over(foreground);
    return 0;
}

/* While nobody here takes what the apps say, they wait, too; an app's end does not. */
static void client_watch(Foreground *foreground) {
    bool waits = output_waits(&foreground->output) && !foreground->hurried;
    if (foreground->client_source)
        (void)sd_event_source_set_enabled(foreground->client_source, waits ? SD_EVENT_OFF : SD_EVENT_ON);
    if (!waits)
        foreground->hurry_source = sd_event_source_unref(foreground->hurry_source);
    else if (!foreground->hurry_source)
        (void)sd_event_add_time_relative(foreground->launch->event, &foreground->hurry_source, CLOCK_MONOTONIC,
                                         HURRY_PAUSE_USEC, 0, hurry_if_due, foreground);
}

/* The sandbox's own word of an end stands behind what is not read here, but an `exit` is written before the rest is asked for. */
static int hurry_if_due(sd_event_source *source, uint64_t now, void *userdata) {
    Foreground *foreground = userdata;
    Ending ending;
    (void)source;
    (void)now;
    foreground->hurry_source = sd_event_source_unref(foreground->hurry_source);
    for (unsigned i = 0; i < OUTPUT_APPS_MAX; i++) {
        const Followed *followed = &foreground->app[i];
        if (followed->app && ending_read(followed->app->status, &ending) >= 0 && ending.time >= followed->since)
            foreground->hurried = true;
    }
    client_watch(foreground);
    return 0;
}

/* The apps get the signal; who asks twice to end gets the pod's end. */
static int signal_seen(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    Foreground *foreground = userdata;
    int number = (int)info->ssi_signo;
    (void)source;
    if (number == SIGWINCH) {
        window_send(foreground, foreground->client);
        return 0;
    }
    bool ending = number == SIGINT || number == SIGTERM;
    if (ending && foreground->ended) /* what is left is output that nobody reads */
        (void)sd_event_exit(foreground->launch->event, 0);
    else if (ending && (foreground->requests++ > 0 || foreground->pod->phase != POD_UP))
        pod_stop(foreground->pod);
    else
        apps_signal(foreground, number);
    return 0;
}

static void apps_signal(Foreground *foreground, int number) {
    const UnitSet *set = &foreground->pod->set;
    for (size_t i = 0; i < set->n_apps; i++)
        manager_kill(foreground->launch->bus, set->apps[i].unit, "main", number);
    if (manager_is_lost(foreground->launch->bus))
        (void)sigaddset(&foreground->unheard, number);
}

void foreground_signal_again(Foreground *foreground) {
    sigset_t again = foreground->unheard;
    (void)sigemptyset(&foreground->unheard);
    for (int number = 1; number < NSIG; number++)
        if (sigismember(&again, number) == 1)
            apps_signal(foreground, number);
}

static PacketStream input_stream(const Foreground *foreground) {
    return foreground->launch->order->terminal ? STREAM_TERMINAL : STREAM_STDIN;
}

static void window_send(const Foreground *foreground, int fd) {
    uint16_t size[2];
    if (fd >= 0 && terminal_size(&size[0], &size[1]) >= 0)
        (void)packet_send(fd, PACKET_RESIZE, STREAM_TERMINAL, foreground->input.app, size, sizeof size);
}

static void finish_if_over(Foreground *foreground) {
    if (foreground->ended && foreground->client < 0 && !output_waits(&foreground->output))
        (void)sd_event_exit(foreground->launch->event, 0);
}
