/* Which state of a session may follow which. */
#include "dataplane/smtp/state.h"

#include "platform/check.h"

#define TO(state) (1u << (state))

static const uint16_t state_next[SMTP_STATES] = {
    [SMTP_CONNECTED] = TO(SMTP_GREETED) | TO(SMTP_CLOSING),
    [SMTP_GREETED] = TO(SMTP_MAIL) | TO(SMTP_CLOSING),
    [SMTP_MAIL] = TO(SMTP_RECIPIENT) | TO(SMTP_GREETED) | TO(SMTP_CLOSING),
    [SMTP_RECIPIENT] = TO(SMTP_ADMITTING) | TO(SMTP_GREETED) | TO(SMTP_CLOSING),
    [SMTP_ADMITTING] = TO(SMTP_DATA) | TO(SMTP_GREETED) | TO(SMTP_CLOSING),
    [SMTP_DATA] = TO(SMTP_WAITING) | TO(SMTP_DISCARD) | TO(SMTP_CLOSING),
    [SMTP_DISCARD] = TO(SMTP_GREETED) | TO(SMTP_CLOSING),
    [SMTP_WAITING] = TO(SMTP_GREETED) | TO(SMTP_CLOSING),
    [SMTP_CLOSING] = TO(SMTP_CLOSING), /* TCP tells of its end, too */
};

void smtp_move(struct smtp_call *call, enum smtp_state to)
{
    struct smtp_server *server = call->server;
    struct smtp_session *session = call->session;

    CHECK(session->state < SMTP_STATES && (state_next[session->state] & TO(to)) != 0);
    server->trace[server->moves++ % SMTP_TRACE_MOVES] = (struct smtp_trace){
        .now_ns = call->now_ns,
        .connection = stream_handle(call->stream),
        .from = session->state,
        .to = (uint8_t)to,
    };
    session->state = (uint8_t)to;
}
