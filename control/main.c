/* postern-control: relays what the workers hand over, and says how the appliance is.
 *
 * usage: postern-control -c FILE | --config-fd N
 *
 * One thread, one libevent loop, no DPDK. Started as root it binds its socket and gives root up
 * before it hears from anybody. By `postern run` newer configurations come down descriptor N; with
 * a file HUP reloads it. TERM and INT end what is under way (at most CONTROL_DRAIN_SECONDS) and
 * exit 0. Exit 1: could not start; 2: usage; 78: configuration.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/link/dataplane.h"
#include "control/loop/loop.h"
#include "control/relay/relay.h"
#include "control/resolve/resolver.h"
#include "control/status/status_server.h"
#include "platform/clock.h"
#include "platform/config/source.h"
#include "platform/cores.h"
#include "platform/exit.h"
#include "platform/log/notice.h"
#include "platform/program.h"
#include "platform/role.h"
#include "platform/sandbox.h"
#include "platform/why.h"

#define CONTROL_DRAIN_SECONDS 30
#define CONTROL_DRAIN_POLL_MS 20
#define CONTROL_LOG_POLL_MS   250
/* Descriptors that are not for customers' servers: link, status clients, log, name servers, ... */
#define CONTROL_DESCRIPTORS_KEPT 64u
/* The time an answer has to find room in its ring, once nothing else is left to do. */
#define CONTROL_LAST_ANSWERS_SECONDS 2

struct control {
    struct config_source source;
    struct config *config; /* in force */
    struct feed_view view; /* what all programs have, for the status; number 0: not known */
    struct loop loop;
    struct resolver *resolver;
    struct relay *relay;
    struct dataplane *dataplane;
    struct status_server *status_server;
    struct event *hangup; /* or, with a feed, that something has come */
    struct event *terminate;
    struct event *interrupt;
    struct timer drain;
    struct timer unread; /* while lines of the log wait to be read */
    int64_t drain_end_ns;
    int64_t answers_end_ns;
    bool draining;
};

static void control_adopt(struct control *control, struct config *config)
{
    enum status status;

    if (strcmp(config->runtime_directory, control->config->runtime_directory) != 0 ||
        strcmp(config->control_user, control->config->control_user) != 0)
        notice("runtime_directory and control.user change with a restart only");
    resolver_reload(control->resolver);
    status = relay_reload(control->relay, config, loop_now_ns(&control->loop));
    config_free(control->config);
    control->config = config;
    if (status == STATUS_OK)
        notice("configuration reloaded, customers: %u", config->customer_count);
    else
        notice("configuration reloaded in part: %s", status_text(status));
}

static void control_reload(evutil_socket_t fd, short events, void *context)
{
    struct control *control = context;
    struct config_error error;
    struct config *config;
    bool viewed = false;
    enum status status = source_next(&control->source, &config, &error, &control->view, &viewed);

    (void)fd;
    (void)events;
    if (viewed)
        status_server_show(control->status_server, &control->view);
    if (status == STATUS_OK)
        control_adopt(control, config);
    else if (status != STATUS_AGAIN)
        notice("configuration not reloaded, the old one stays: %s", error.text);
    if (status == STATUS_CLOSED)
        (void)event_del(control->hangup);
    source_answer(&control->source, control->config->number, control->config->number, 1, "");
}

/* Of what is to be read anew: a signal for a file, a message of a feed. */
static struct event *control_hangup(struct control *control)
{
    if (control->source.feed < 0)
        return evsignal_new(control->loop.base, SIGHUP, control_reload, control);
    (void)signal(SIGHUP, SIG_IGN);
    return event_new(control->loop.base, control->source.feed, EV_READ | EV_PERSIST, control_reload,
                     control);
}

static void control_drain_poll(struct control *control, int64_t now_ns)
{
    loop_set(&control->loop, &control->drain, now_ns + CONTROL_DRAIN_POLL_MS * CLOCK_NS_PER_MS,
             now_ns);
}

/* Ends the loop when the last transaction is answered and the last answer handed over. */
static void control_drained(void *context, int64_t now_ns)
{
    struct control *control = context;
    unsigned left = relay_in_flight(control->relay);

    if (left > 0 && now_ns < control->drain_end_ns) {
        control_drain_poll(control, now_ns);
        return;
    }
    if (left > 0)
        notice("stopping with transactions under way: %u", left);
    if (control->answers_end_ns == 0)
        control->answers_end_ns = now_ns + CONTROL_LAST_ANSWERS_SECONDS * CLOCK_NS_PER_SECOND;
    if (dataplane_has_answers(control->dataplane) && now_ns < control->answers_end_ns) {
        control_drain_poll(control, now_ns);
        return;
    }
    (void)event_base_loopbreak(control->loop.base);
}

static void control_terminate(evutil_socket_t fd, short events, void *context)
{
    struct control *control = context;
    int64_t now_ns = loop_now_ns(&control->loop);

    (void)fd;
    (void)events;
    if (control->draining)
        return;
    control->draining = true;
    control->drain_end_ns = now_ns + CONTROL_DRAIN_SECONDS * CLOCK_NS_PER_SECOND;
    notice("stopping, transactions under way: %u", relay_in_flight(control->relay));
    relay_drain(control->relay, now_ns);
    control_drain_poll(control, now_ns);
}

/* Tries the lines of the log that nobody has read yet again, now and then. */
static void control_unread(void *context, int64_t now_ns)
{
    struct control *control = context;

    (void)notice_flush();
    loop_set(&control->loop, &control->unread, now_ns + CONTROL_LOG_POLL_MS * CLOCK_NS_PER_MS,
             now_ns);
}

/* uid and gid of control.user; false (and told) when there is no such user. */
static bool control_find_user(const char *name, uint32_t *uid, uint32_t *gid)
{
    if (sandbox_user(name, uid, gid) == STATUS_OK)
        return true;
    notice("control.user: there is no user \"%s\"; create it (useradd --system %s) or name another",
           name, name);
    return false;
}

static bool control_make_loop(struct control *control)
{
    int64_t now_ns;

    if (loop_open(&control->loop, NULL, NULL) != STATUS_OK ||
        resolver_open(&control->resolver, &control->loop, RESOLVER_CONFIGURATION) != STATUS_OK)
        return false;
    now_ns = loop_now_ns(&control->loop);
    control->hangup = control_hangup(control);
    control->terminate = evsignal_new(control->loop.base, SIGTERM, control_terminate, control);
    control->interrupt = evsignal_new(control->loop.base, SIGINT, control_terminate, control);
    if (control->hangup == NULL || control->terminate == NULL || control->interrupt == NULL)
        return false;
    control_unread(control, now_ns);
    return event_add(control->hangup, NULL) == 0 && event_add(control->terminate, NULL) == 0 &&
           event_add(control->interrupt, NULL) == 0;
}

/* Keeps off the workers' cpus (cores.control). A map that cannot be had is the dataplane's to
 * refuse; control serves all the same. */
static void control_bind(const struct config *config)
{
    struct core_map cores;
    struct why why = {""};
    enum status status = cores_plan_here(config, &cores, &why);

    if (status == STATUS_OK)
        status = role_bind(ROLE_CONTROL, &cores, 0);
    if (status != STATUS_OK)
        notice("not bound to cores.control: %s", !why_empty(&why) ? why.text : status_text(status));
}

/* A descriptor each. With fewer than are kept back, a few connections all the same. */
static unsigned control_connections_max(void)
{
    unsigned descriptors = program_descriptors();

    return descriptors > 2 * CONTROL_DESCRIPTORS_KEPT ? descriptors - CONTROL_DESCRIPTORS_KEPT
                                                      : descriptors / 2;
}

static bool control_start(struct control *control)
{
    const struct config *config = control->config;
    bool root = geteuid() == 0;
    uint32_t uid = geteuid();
    uint32_t gid = UINT32_MAX;
    struct sandbox sandbox;
    struct why why;
    int fd = -1;
    enum status status;

    control_bind(config);
    if (root && !control_find_user(role_user(ROLE_CONTROL, config), &uid, &gid))
        return false;
    status = status_server_listen(config->runtime_directory, root ? gid : UINT32_MAX, &fd);
    if (status != STATUS_OK) {
        notice("cannot listen at %s/control.sock: %s%s%s", config->runtime_directory,
               status_text(status), status == STATUS_SYSTEM ? ": " : "",
               status == STATUS_SYSTEM ? strerror(errno) : "");
        return false;
    }
    if (!control_make_loop(control)) {
        notice("cannot start: out of memory");
        close(fd);
        return false;
    }
    sandbox = role_sandbox(ROLE_CONTROL, role_user(ROLE_CONTROL, config));
    if (role_confine(ROLE_CONTROL, &sandbox, &why) != STATUS_OK) {
        notice("%s", why.text);
        close(fd);
        return false;
    }
    status = relay_create(&control->relay, &control->loop, control->resolver, config,
                          control_connections_max());
    if (status == STATUS_OK)
        status = dataplane_create(&control->dataplane, &control->loop, control->relay,
                                  config->runtime_directory);
    if (status == STATUS_OK)
        status = status_server_create(&control->status_server, &control->loop, fd,
                                      control->dataplane, control->relay);
    else
        close(fd);
    if (status != STATUS_OK)
        notice("cannot start: %s", status_text(status));
    return status == STATUS_OK;
}

static void control_stop(struct control *control)
{
    struct event *const events[] = {control->hangup, control->terminate, control->interrupt};

    status_server_free(control->status_server);
    dataplane_free(control->dataplane);
    if (control->relay != NULL)
        relay_free(control->relay, loop_now_ns(&control->loop));
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i] != NULL)
            event_free(events[i]);
    }
    loop_clear(&control->loop, &control->drain);
    loop_clear(&control->loop, &control->unread);
    resolver_close(control->resolver);
    loop_close(&control->loop);
    config_free(control->config);
    source_close(&control->source);
    libevent_global_shutdown();
}

int main(int argc, char **argv)
{
    struct control control = {0};
    struct config_error error;
    bool started;

    if (argc != 3 || !source_parse(&control.source, argv[1], argv[2])) {
        (void)fprintf(stderr, "usage: postern-control " SOURCE_USAGE "\n");
        return EXIT_USAGE;
    }
    (void)role_begin(ROLE_CONTROL);
    notice_open("postern-control");
    timer_init(&control.drain, control_drained, &control);
    timer_init(&control.unread, control_unread, &control);
    if (source_first(&control.source, &control.config, &error) != STATUS_OK) {
        notice("%s", error.text);
        return EXIT_CONFIG;
    }
    started = control_start(&control);
    if (started) {
        source_answer(&control.source, control.config->number, control.config->number, 1, "");
        notice("version %s, customers: %u", POSTERN_VERSION, control.config->customer_count);
        (void)event_base_dispatch(control.loop.base);
        notice("stopped");
    }
    control_stop(&control);
    return started ? 0 : EXIT_FAILED;
}
