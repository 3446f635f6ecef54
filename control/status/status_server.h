/* status_server.h: how `postern status` and monitoring learn how the appliance is.
 *
 * `<runtime_directory>/control.sock`, SOCK_STREAM, mode 0660: whoever connects gets one JSON object
 * and the end of file. A request line ("status\n") is read and ignored, so that others may be
 * added. docs/relay.md describes the object.
 *
 * Limits: STATUS_CLIENTS_MAX at once (more are closed at once), STATUS_CLIENT_SECONDS each. When no
 * descriptor is left for one, it listens again after STATUS_REST_SECONDS.
 *
 * Threads: control's loop. Memory: status_server_free().
 */
#ifndef CONTROL_STATUS_STATUS_SERVER_H
#define CONTROL_STATUS_STATUS_SERVER_H

#include "control/link/dataplane.h"
#include "platform/config/feed.h"

#define STATUS_CLIENTS_MAX    16u
#define STATUS_CLIENT_SECONDS 5
#define STATUS_REST_SECONDS   1
#define STATUS_CLIENT_BYTES   1024u /* read from a client before its reading stops */

struct status_server;

/* Binds and listens; STATUS_IN_USE when another process answers there, STATUS_SYSTEM (errno),
 * STATUS_BAD_ARGUMENT (path too long). `gid` is the socket's group unless (uint32_t)-1. */
enum status status_server_listen(const char *runtime_directory, uint32_t gid,
                                 int *fd) STATUS_CHECKED;

/* Serves a listening descriptor (ownership taken in every case). Both others are borrowed. */
enum status status_server_create(struct status_server **server, struct loop *loop, int fd,
                                 const struct dataplane *dataplane,
                                 const struct relay *relay) STATUS_CHECKED;

/* What all programs have of the configuration, for the answers from now on; copied. */
void status_server_show(struct status_server *server, const struct feed_view *view);

void status_server_free(struct status_server *server);

#endif
