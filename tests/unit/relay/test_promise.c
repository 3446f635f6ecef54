/* A "no" is a "no": ten thousand messages past two servers of chance, in a time of the test's own.
 *
 * The servers are part of the loop. They answer at once, late, never, too early, with refusals or
 * nonsense, or go, and then the other one is tried; senders leave when they like; deadlines are
 * short. None of a message is taken twice. What is counted as accepted
 * is what the server has seen the end of. Held against that: what our answer was.
 *   answer 2xx          => the server had the end of data and said 250 to it
 *   answer not 2xx      => the server never had it, or the answer is one that SMTP itself leaves
 * open (in_doubt), or the server had it and refused it. A seed is printed with each failure:
 * POSTERN_SEED=N runs it again.
 */
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "tests/unit/relay/rig.h"

#define RUNS            10000u
#define STEP_NS         (50 * CLOCK_NS_PER_MS)
#define DEADLINE_NS     (20 * CLOCK_NS_PER_SECOND)
#define PROMISE_SERVERS 2u

/* What the server does at a point of the dialogue. */
enum mood {
    MOOD_GOOD,
    MOOD_LATE,
    MOOD_NEVER,
    MOOD_TEMPORARY,
    MOOD_PERMANENT,
    MOOD_GONE,
    MOOD_NONSENSE,
    MOOD_UNASKED, /* its end of data never came */
    MOODS
};

static const char *const mood_names[MOODS] = {
    [MOOD_GOOD] = "answered at once",      [MOOD_LATE] = "answered late",
    [MOOD_NEVER] = "did not answer",       [MOOD_TEMPORARY] = "deferred",
    [MOOD_PERMANENT] = "refused",          [MOOD_GONE] = "went away",
    [MOOD_NONSENSE] = "answered nonsense", [MOOD_UNASKED] = "was not asked"};

struct world {
    struct rig rig;
    struct evconnlistener *listeners[PROMISE_SERVERS];
    uint64_t random;
    unsigned run;
    unsigned accepted;      /* times the end of this run's data came, and 250 was the answer */
    unsigned met;           /* servers that this run's message was begun at: a bit each */
    unsigned failed_over;   /* runs that met both */
    enum mood end;          /* in which this run's end of data was met */
    unsigned in_doubt;      /* of all runs */
    unsigned doubts[MOODS]; /* the same, by what the server did at the end of data */
    unsigned accepted_unheard;
    unsigned answers[2]; /* not 2xx, 2xx */
};

struct session {
    struct world *world;
    unsigned server;
    struct bufferevent *stream;
    struct timer late;
    char reply[64];
    bool in_data;
    bool final;   /* the reply that is due answers the end of data ... */
    unsigned run; /* ... of this run */
};

static unsigned chance(struct world *world, unsigned of)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (unsigned)(world->random % of);
}

static void session_close(struct session *session)
{
    loop_clear(&session->world->rig.loop, &session->late);
    bufferevent_free(session->stream);
    free(session);
}

static void session_say(struct session *session)
{
    if (session->final && strncmp(session->reply, "250", 3) == 0 &&
        session->run == session->world->run)
        session->world->accepted++;
    session->final = false;
    (void)bufferevent_write(session->stream, session->reply, strlen(session->reply));
}

static void session_late(void *context, int64_t now_ns)
{
    (void)now_ns;
    session_say(context);
}

/* Answers in a mood of chance; false when the session is over. */
static bool session_answer(struct session *session, const char *good, bool final)
{
    struct world *world = session->world;
    struct loop *loop = &world->rig.loop;
    unsigned dice = chance(world, 40);
    enum mood mood = dice < 7 ? (enum mood)dice : MOOD_GOOD;
    int64_t now_ns = loop_now_ns(loop);

    (void)snprintf(session->reply, sizeof(session->reply), "%s\r\n",
                   mood == MOOD_TEMPORARY   ? "451 4.3.0 not now"
                   : mood == MOOD_PERMANENT ? "550 5.7.1 never"
                   : mood == MOOD_NONSENSE  ? "how do you do"
                                            : good);
    session->final = final;
    if (final)
        world->end = mood;
    if (mood == MOOD_GONE) {
        session_close(session);
        return false;
    }
    if (mood == MOOD_LATE)
        loop_set(loop, &session->late, now_ns + chance(world, 30) * CLOCK_NS_PER_SECOND, now_ns);
    else if (mood != MOOD_NEVER)
        session_say(session);
    return true;
}

static bool session_line(struct session *session, const char *line)
{
    session->world->met |= 1u << session->server;
    if (session->in_data) {
        if (strcmp(line, ".") != 0)
            return true;
        session->in_data = false;
        session->run = session->world->run;
        return session_answer(session, "250 2.0.0 taken", true);
    }
    if (strcmp(line, "DATA") != 0)
        return session_answer(session, strncmp(line, "QUIT", 4) == 0 ? "221 bye" : "250 ok", false);
    if (!session_answer(session, "354 go on", false))
        return false;
    session->in_data = strncmp(session->reply, "354", 3) == 0;
    /* Some say yes before they have heard it. */
    if (session->in_data && chance(session->world, 20) == 0)
        (void)bufferevent_write(session->stream, "250 early\r\n", 11);
    return true;
}

static void session_read(struct bufferevent *stream, void *context)
{
    struct session *session = context;
    struct evbuffer *input = bufferevent_get_input(stream);
    bool going = true;
    char *line;

    while (going && (line = evbuffer_readln(input, NULL, EVBUFFER_EOL_CRLF_STRICT)) != NULL) {
        going = session_line(session, line);
        free(line);
    }
}

static void session_event(struct bufferevent *stream, short events, void *context)
{
    (void)stream;
    if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        session_close(context);
}

static void world_accepted(struct evconnlistener *listener, evutil_socket_t fd,
                           struct sockaddr *address, int length, void *context)
{
    struct world *world = context;
    struct session *session = calloc(1, sizeof(*session));

    (void)address;
    (void)length;
    assert_non_null(session);
    session->world = world;
    session->server = listener == world->listeners[0] ? 0 : 1;
    timer_init(&session->late, session_late, session);
    session->stream = bufferevent_socket_new(world->rig.loop.base, fd, BEV_OPT_CLOSE_ON_FREE);
    assert_non_null(session->stream);
    bufferevent_setcb(session->stream, session_read, NULL, session_event, session);
    (void)bufferevent_enable(session->stream, EV_READ | EV_WRITE);
    (void)session_answer(session, "220 hello", false);
}

static uint16_t world_listen(struct world *world, unsigned server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);

    world->listeners[server] = evconnlistener_new_bind(
        world->rig.loop.base, world_accepted, world, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, -1,
        (struct sockaddr *)&address, sizeof(address));
    assert_non_null(world->listeners[server]);
    assert_int_equal(getsockname(evconnlistener_get_fd(world->listeners[server]),
                                 (struct sockaddr *)&address, &length),
                     0);
    return ntohs(address.sin_port);
}

static void world_open(struct world *world, uint64_t seed)
{
    *world = (struct world){.random = seed * 2654435761u + 1};
    rig_open(&world->rig);
    world->rig.port = world_listen(world, 0);
    world->rig.servers[1].port = world_listen(world, 1);
    world->rig.customer.route.server_count = PROMISE_SERVERS;
    rig_relay(&world->rig);
    rig_stop_time(&world->rig);
}

/* Lets the kernel carry what there is to carry, while time stands still. */
static void world_settle(struct world *world)
{
    for (unsigned i = 0; i < 6; i++)
        (void)event_base_loop(world->rig.loop.base, EVLOOP_NONBLOCK);
}

static void world_run(struct world *world, unsigned run)
{
    static const char body[] = "Subject: x\r\n\r\nx\r\n";
    struct rig *rig = &world->rig;
    struct rig_mail mail = {.body = body, .length = sizeof(body) - 1};
    const struct route_counts *counts = &rig->relay->routes->counts;
    uint64_t doubts = counts->in_doubt;
    unsigned leaves = chance(world, 3) == 0 ? chance(world, 100) : UINT32_MAX;
    struct relay_job job;
    struct message *message = rig_message(rig, &mail, &job);
    const struct relay_result *result = &rig->results[0];
    int64_t deadline_ns = rig->time_ns + DEADLINE_NS;

    world->accepted = 0;
    world->met = 0;
    world->end = MOOD_UNASKED;
    world->run = run;
    rig->answered = 0;
    job.deadline_ns = deadline_ns;
    rig_submit(rig, &job);
    for (unsigned step = 0; rig->answered == 0; step++) {
        world_settle(world);
        if (step == leaves && rig_transaction(rig, message) != NULL)
            relay_withdraw(rig_transaction(rig, message), rig->time_ns);
        if (rig->answered == 0 && chance(world, 4) == 0)
            rig_pass(rig, STEP_NS * (1 + chance(world, 8)));
    }
    assert_true(rig->time_ns < deadline_ns);
    world_settle(world);
    message_give(&rig->store, message);
    world->answers[result->code < 300]++;
    if (result->code < 300 ? world->accepted == 0
                           : world->accepted > 0 && counts->in_doubt == doubts)
        fail_msg("run %u: answered %u %s, the server %s", run, result->code, result->text,
                 world->accepted > 0 ? "took it" : "did not take it");
    if (world->accepted > 1)
        fail_msg("run %u: taken %u times", run, world->accepted);
    world->in_doubt += counts->in_doubt > doubts;
    world->doubts[world->end] += counts->in_doubt > doubts;
    world->accepted_unheard += result->code >= 300 && world->accepted > 0;
    world->failed_over += world->met == 3;
}

static void test_a_no_is_a_no(void **state)
{
    const char *given = getenv("POSTERN_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : 1;
    static struct world world;

    (void)state;
    (void)printf("seed %llu\n", (unsigned long long)seed);
    world_open(&world, seed);
    for (unsigned run = 0; run < RUNS; run++) {
        world_run(&world, run);
        rig_pass(&world.rig, chance(&world, 4) * CLOCK_NS_PER_SECOND);
        world_settle(&world);
    }
    (void)printf(
        "%u messages, %u met both servers: %u answered 2xx; of %u others %u in doubt, %u of "
        "these taken; taken without doubt 0\n",
        RUNS, world.failed_over, world.answers[1], world.answers[0], world.in_doubt,
        world.accepted_unheard);
    for (unsigned mood = 0; mood < MOODS; mood++) {
        if (world.doubts[mood] > 0)
            (void)printf("in doubt: %3u where the server %s\n", world.doubts[mood],
                         mood_names[mood]);
    }
    /* Where it said no, or was not asked, there is no doubt. */
    assert_int_equal(world.doubts[MOOD_TEMPORARY] + world.doubts[MOOD_PERMANENT], 0);
    /* Both ends were met often enough to mean something. */
    assert_true(world.answers[0] > RUNS / 20 && world.answers[1] > RUNS / 20);
    assert_true(world.in_doubt > 0 && world.failed_over > 0);
    for (unsigned i = 0; i < PROMISE_SERVERS; i++)
        evconnlistener_free(world.listeners[i]);
    world.rig.time_ns = 0;
    rig_close(&world.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_no_is_a_no),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
