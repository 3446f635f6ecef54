#include "control/command/readiness.h"

#include <poll.h>
#include <stdio.h>

#include "platform/log/notice.h"

void readiness_init(struct readiness *readiness, const char *socket, int64_t limit_ns,
                    int64_t now_ns)
{
    *readiness = (struct readiness){.socket = socket,
                                    .started_ns = now_ns,
                                    .asked_ns = now_ns,
                                    .limit_ns = limit_ns,
                                    .client = {.fd = -1}};
}

void readiness_fini(struct readiness *readiness)
{
    status_client_close(&readiness->client);
}

void readiness_missing(const struct readiness *readiness, char *text, size_t size)
{
    if (!readiness->answered)
        snprintf(text, size, "postern-control does not answer at %s", readiness->socket);
    else if (!readiness->seen.dataplane_linked)
        snprintf(text, size, "postern-dataplane is not up");
    else
        snprintf(text, size, "%s%s%s", readiness->seen.scanners_ready ? "" : "no scanner is ready",
                 readiness->seen.scanners_ready || readiness->seen.control_ready ? "" : "; ",
                 readiness->seen.control_ready ? "" : "the workers do not see control");
}

static void readiness_take(struct readiness *readiness, const json_t *object)
{
    readiness->answered = true;
    readiness->seen = status_readiness(object);
    readiness->ready = readiness->seen.dataplane_linked && readiness->seen.scanners_ready &&
                       readiness->seen.control_ready;
    if (!readiness->ready)
        return;
    puts("postern: ready");
    fflush(stdout);
}

static void readiness_ask(struct readiness *readiness, int64_t now_ns)
{
    json_t *object;
    enum status status;

    if (readiness->client.fd < 0) {
        readiness->asked_ns = now_ns;
        if (status_client_open(&readiness->client, readiness->socket) != STATUS_OK) {
            readiness->client.fd = -1;
            readiness->answered = false;
            return;
        }
    }
    status = status_client_step(&readiness->client, &object);
    if (status == STATUS_AGAIN)
        return;
    status_client_close(&readiness->client);
    if (status == STATUS_OK) {
        readiness_take(readiness, object);
        json_decref(object);
    } else {
        readiness->answered = false;
    }
}

int64_t readiness_turn(struct readiness *readiness, int64_t now_ns, int *fd, short *events)
{
    int64_t period_ns = readiness->warned ? READINESS_SLOW_PERIOD_NS : READINESS_PERIOD_NS;
    char missing[256];

    *fd = -1;
    if (readiness->ready)
        return INT64_MAX;
    /* An answer still under way keeps its turn until the next question is due. */
    if (now_ns >= readiness->asked_ns + period_ns)
        status_client_close(&readiness->client);
    if (readiness->client.fd >= 0 || now_ns >= readiness->asked_ns + period_ns)
        readiness_ask(readiness, now_ns);
    if (readiness->ready)
        return INT64_MAX;
    if (!readiness->warned && now_ns - readiness->started_ns >= readiness->limit_ns) {
        readiness->warned = true;
        readiness_missing(readiness, missing, sizeof(missing));
        notice("warning: not ready after %lld s: %s",
               (long long)(readiness->limit_ns / CLOCK_NS_PER_SECOND), missing);
    }
    *fd = readiness->client.fd;
    *events = POLLIN;
    return readiness->asked_ns +
           (readiness->warned ? READINESS_SLOW_PERIOD_NS : READINESS_PERIOD_NS);
}
