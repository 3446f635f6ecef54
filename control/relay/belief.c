#include "control/relay/belief.h"

#include <string.h>

/* Something other than a goodbye (221, 421) stands behind the reply. */
static bool belief_more_came(const struct connection *connection)
{
    char next[3];
    ev_ssize_t length = evbuffer_copyout(connection_input(connection), next, sizeof(next));

    return length > 0 && memcmp(next, "221", (size_t)length) != 0 &&
           memcmp(next, "421", (size_t)length) != 0;
}

const char *belief_doubt(const struct reply *reply, const struct connection *connection)
{
    /* Only x5z speaks of the mail system (RFC 5321 4.2.1): a 220 or 221 in this place is about the
     * connection, and no word that the message was taken. */
    if (reply->code < 400 && reply->code / 10 != 25)
        return "unexpected answer to the end of data";
    if (!connection_acknowledged(connection))
        return "the server answered before it had the whole message";
    if (belief_more_came(connection))
        return "the server gave two answers to the end of data";
    return NULL;
}
