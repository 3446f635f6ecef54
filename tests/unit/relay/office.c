#include "tests/unit/relay/office.h"

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/dns_struct.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct office_session {
    struct office_session *next;
    struct office *office;
    struct bufferevent *stream;
    struct timer answer;
    bool in_data;
    bool waits;
};

static void session_free(struct office_session *session)
{
    loop_clear(&session->office->rig->loop, &session->answer);
    session->office->waiting -= session->waits;
    bufferevent_free(session->stream);
    free(session);
}

static void session_close(struct office_session *session)
{
    struct office_session **at = &session->office->sessions;

    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    session_free(session);
}

static void session_say(struct office_session *session, const char *line)
{
    (void)bufferevent_write(session->stream, line, strlen(line));
}

static void session_taken(void *context, int64_t now_ns)
{
    struct office_session *session = context;

    (void)now_ns;
    session->waits = false;
    session->office->waiting--;
    session->office->taken++;
    session_say(session, "250 2.0.0 taken\r\n");
}

static void session_line(struct office_session *session, const char *line)
{
    struct loop *loop = &session->office->rig->loop;
    int64_t now_ns = loop_now_ns(loop);

    if (session->in_data && strcmp(line, ".") != 0)
        return;
    if (session->in_data) {
        session->in_data = false;
        session->waits = true;
        session->office->waiting++;
        if (session->office->delay_ns == 0)
            session_taken(session, now_ns);
        else
            loop_set(loop, &session->answer, now_ns + session->office->delay_ns, now_ns);
        return;
    }
    session->in_data = strcmp(line, "DATA") == 0;
    session_say(session, session->in_data ? "354 go on\r\n" : "250 ok\r\n");
}

static void session_read(struct bufferevent *stream, void *context)
{
    char *line;

    while ((line = evbuffer_readln(bufferevent_get_input(stream), NULL,
                                   EVBUFFER_EOL_CRLF_STRICT)) != NULL) {
        session_line(context, line);
        free(line);
    }
}

static void session_event(struct bufferevent *stream, short events, void *context)
{
    (void)stream;
    if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        session_close(context);
}

static void office_accepted(struct evconnlistener *listener, evutil_socket_t fd,
                            struct sockaddr *address, int length, void *context)
{
    struct office *office = context;
    struct office_session *session = calloc(1, sizeof(*session));

    (void)listener;
    (void)address;
    (void)length;
    assert_non_null(session);
    office->connections++;
    session->office = office;
    session->next = office->sessions;
    office->sessions = session;
    timer_init(&session->answer, session_taken, session);
    session->stream = bufferevent_socket_new(office->rig->loop.base, fd, BEV_OPT_CLOSE_ON_FREE);
    assert_non_null(session->stream);
    bufferevent_setcb(session->stream, session_read, NULL, session_event, session);
    (void)bufferevent_enable(session->stream, EV_READ | EV_WRITE);
    if (!office->mute)
        session_say(session, "220 hello\r\n");
}

void office_open(struct office *office, struct rig *rig)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(office->port)};
    socklen_t length = sizeof(address);

    office->rig = rig;
    office->listener = evconnlistener_new_bind(rig->loop.base, office_accepted, office,
                                               LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, -1,
                                               (struct sockaddr *)&address, sizeof(address));
    assert_non_null(office->listener);
    assert_int_equal(
        getsockname(evconnlistener_get_fd(office->listener), (struct sockaddr *)&address, &length),
        0);
    office->port = ntohs(address.sin_port);
}

void office_close(struct office *office)
{
    if (office->listener != NULL)
        evconnlistener_free(office->listener);
    office->listener = NULL;
    while (office->sessions != NULL) {
        struct office_session *session = office->sessions;

        office->sessions = session->next;
        session_free(session);
    }
}

/* -- names ------------------------------------------------------------------------------------- */

static void names_asked(struct evdns_server_request *request, void *context)
{
    struct names_office *office = context;
    struct in_addr address = {.s_addr = htonl(INADDR_LOOPBACK)};

    for (int i = 0; i < request->nquestions; i++) {
        const struct evdns_server_question *question = request->questions[i];

        if (question->type != EVDNS_TYPE_A)
            continue;
        office->queries++;
        if (!office->failing && !office->silent)
            (void)evdns_server_request_add_a_reply(request, question->name, 1, &address, 60);
    }
    if (office->silent)
        (void)evdns_server_request_drop(request);
    else
        (void)evdns_server_request_respond(request, office->failing ? DNS_ERR_NOTEXIST : 0);
}

void names_office_open(struct names_office *office, struct rig *rig, char *path, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    FILE *file;

    *office = (struct names_office){0};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    office->port = ntohs(address.sin_port);
    office->server = evdns_add_server_port_with_base(rig->loop.base, fd, 0, names_asked, office);
    assert_non_null(office->server);
    (void)snprintf(path, size, "%s/resolv.conf", rig->directory);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "nameserver 127.0.0.1:%u\n", office->port);
    (void)fclose(file);
}

void names_office_close(struct names_office *office)
{
    evdns_close_server_port(office->server);
}
