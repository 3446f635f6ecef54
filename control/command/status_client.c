#include "control/command/status_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform/clock.h"

#define STATUS_READ_BYTES 16384u

static enum status status_client_failed(int error)
{
    switch (error) {
    case ENOENT:
        return STATUS_NOT_FOUND;
    case ECONNREFUSED:
    case EAGAIN: /* its backlog is full: as good as nobody */
        return STATUS_CLOSED;
    case EACCES:
    case EPERM:
        return STATUS_NOT_PERMITTED;
    default:
        return STATUS_SYSTEM;
    }
}

enum status status_client_open(struct status_client *client, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    int saved;

    *client = (struct status_client){.fd = -1};
    if (length >= sizeof(address.sun_path))
        return STATUS_BAD_ARGUMENT;
    memcpy(address.sun_path, path, length + 1);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        return STATUS_SYSTEM;
    if (connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return STATUS_OK;
    saved = errno;
    close(client->fd);
    client->fd = -1;
    errno = saved;
    return status_client_failed(saved);
}

static enum status status_client_room(struct status_client *client)
{
    size_t size = client->size == 0 ? STATUS_READ_BYTES : client->size * 2;
    char *bytes;

    if (client->used < client->size)
        return STATUS_OK;
    if (client->size >= STATUS_REPLY_BYTES_MAX)
        return STATUS_NO_SPACE;
    bytes = realloc(client->bytes, size);
    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    client->bytes = bytes;
    client->size = size;
    return STATUS_OK;
}

static enum status status_client_parse(const struct status_client *client, json_t **object)
{
    json_t *root = json_loadb(client->bytes, client->used, JSON_REJECT_DUPLICATES, NULL);

    if (root == NULL)
        return STATUS_BAD_FORMAT;
    if (!json_is_object(root)) {
        json_decref(root);
        return STATUS_BAD_FORMAT;
    }
    *object = root;
    return STATUS_OK;
}

enum status status_client_step(struct status_client *client, json_t **object)
{
    for (;;) {
        enum status status = status_client_room(client);
        ssize_t length;

        if (status != STATUS_OK)
            return status;
        length = recv(client->fd, client->bytes + client->used, client->size - client->used, 0);
        if (length > 0) {
            client->used += (size_t)length;
            continue;
        }
        if (length == 0)
            return client->used == 0 ? STATUS_CLOSED : status_client_parse(client, object);
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN)
            return STATUS_AGAIN;
        return errno == ECONNRESET ? STATUS_CLOSED : STATUS_SYSTEM;
    }
}

void status_client_close(struct status_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    free(client->bytes);
    *client = (struct status_client){.fd = -1};
}

enum status status_fetch(const char *path, int64_t limit_ns, json_t **object)
{
    int64_t deadline_ns = clock_monotonic_ns() + limit_ns;
    struct status_client client;
    enum status status = status_client_open(&client, path);

    if (status != STATUS_OK)
        return status;
    while ((status = status_client_step(&client, object)) == STATUS_AGAIN) {
        struct pollfd waiting = {.fd = client.fd, .events = POLLIN};
        int64_t left_ns = deadline_ns - clock_monotonic_ns();

        if (left_ns <= 0) {
            status = STATUS_TIMED_OUT;
            break;
        }
        if (poll(&waiting, 1, (int)(left_ns / CLOCK_NS_PER_MS) + 1) < 0 && errno != EINTR) {
            status = STATUS_SYSTEM;
            break;
        }
    }
    status_client_close(&client);
    return status;
}

/* Gauges may be published as numbers or as true/false. */
static bool status_is_set(const json_t *value)
{
    return json_is_true(value) || json_number_value(value) >= 1;
}

static bool status_gauge(const json_t *object, const char *name)
{
    return status_is_set(json_object_get(json_object_get(object, "counters"), name)) ||
           status_is_set(json_object_get(object, name));
}

struct status_readiness status_readiness(const json_t *object)
{
    const json_t *dataplane = json_object_get(object, "dataplane");

    return (struct status_readiness){
        .dataplane_linked = status_is_set(json_object_get(dataplane, "linked")),
        .scanners_ready = status_gauge(object, "scanners_ready"),
        .control_ready = status_gauge(object, "control_ready"),
    };
}
