/* status_client.h: asks the running appliance how it is, over control's status socket.
 *
 * Control answers a connection to `<runtime_directory>/control.sock` with one JSON object and
 * closes. The client never blocks: open, then step whenever the descriptor is readable; or
 * status_fetch(), which does that with a time limit.
 *
 * Threads: one a client. Limits: STATUS_REPLY_BYTES_MAX of reply (STATUS_NO_SPACE), the caller's
 * time limit (STATUS_TIMED_OUT); whoever answers on that path cannot make us hang or grow.
 * Memory: the client's buffer is freed by status_client_close(); the object is the caller's to
 * json_decref().
 */
#ifndef CONTROL_COMMAND_STATUS_CLIENT_H
#define CONTROL_COMMAND_STATUS_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/status.h"

#define STATUS_REPLY_BYTES_MAX (4u << 20)

struct status_client {
    int fd; /* -1: closed */
    char *bytes;
    size_t used;
    size_t size;
};

/* STATUS_NOT_FOUND (no such socket), STATUS_CLOSED (nobody listens), STATUS_NOT_PERMITTED,
 * STATUS_BAD_ARGUMENT (path too long for a socket), STATUS_SYSTEM. On any error nothing needs
 * closing. */
enum status status_client_open(struct status_client *client, const char *path) STATUS_CHECKED;

/* Reads what is there. STATUS_OK: the whole object has come, *object is the caller's.
 * STATUS_AGAIN: wait until the descriptor is readable. Else the answer was no answer. */
enum status status_client_step(struct status_client *client, json_t **object) STATUS_CHECKED;

void status_client_close(struct status_client *client);

/* All of it, within `limit_ns`. */
enum status status_fetch(const char *path, int64_t limit_ns, json_t **object) STATUS_CHECKED;

/* What is missing before the appliance takes and passes on mail. */
struct status_readiness {
    bool dataplane_linked;
    bool scanners_ready;
    bool control_ready;
};

/* Reads it off a status object (anything that is not there counts as missing). */
struct status_readiness status_readiness(const json_t *object);

#endif
