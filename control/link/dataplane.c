#include "control/link/dataplane.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/link/region_source.h"
#include "platform/check.h"
#include "platform/clock.h"
#include "platform/log/notice.h"

static void dataplane_connect(struct dataplane *dataplane, int64_t now_ns);

/* -- answers ----------------------------------------------------------------------------------- */

static void dataplane_free_answers(struct dataplane_answer *first)
{
    while (first != NULL) {
        struct dataplane_answer *next = first->next;

        free(first);
        first = next;
    }
}

static void dataplane_drop_channels(struct dataplane *dataplane, int64_t now_ns)
{
    relay_hear(dataplane->relay, NULL, NULL);
    relay_count(dataplane->relay, NULL);
    relay_abort(dataplane->relay, &dataplane->owner, now_ns);
    for (uint32_t i = 0; i < REGION_WORKERS_MAX; i++) {
        dataplane_free_answers(dataplane->workers[i].first);
        dataplane_free_answers(dataplane->workers[i].spare);
        dataplane->workers[i] = (struct dataplane_worker){0};
    }
    if (dataplane->has_channels)
        channel_memory_close(&dataplane->memory);
    dataplane->has_channels = false;
    dataplane->row = NULL;
    dataplane->open = 0;
    loop_clear(dataplane->loop, &dataplane->poll);
}

static void dataplane_drop_region(struct dataplane *dataplane)
{
    CHECK(!dataplane->has_channels);
    free(dataplane->messages);
    dataplane->messages = NULL;
    region_hold_give(dataplane->hold);
    dataplane->hold = NULL;
}

/* Back to the start: forgets everything that came over the link and tries again later. */
static void dataplane_lose(struct dataplane *dataplane, const char *why, int64_t now_ns)
{
    if (dataplane->state == DATAPLANE_LINKED)
        notice("link to the dataplane lost: %s", why);
    else if (dataplane->state != DATAPLANE_ABSENT && !dataplane->waiting_told)
        notice("the dataplane turned the link down: %s", why);
    dataplane_drop_channels(dataplane, now_ns);
    if (dataplane->readable != NULL)
        event_free(dataplane->readable);
    dataplane->readable = NULL;
    if (dataplane->hold != NULL)
        dataplane->hold->link = dataplane->socket; /* until no buffer points into the region */
    else if (dataplane->socket >= 0)
        close(dataplane->socket);
    dataplane->socket = -1;
    dataplane_drop_region(dataplane);
    dataplane->state = DATAPLANE_ABSENT;
    loop_set(dataplane->loop, &dataplane->retry, now_ns + dataplane->retry_ms * CLOCK_NS_PER_MS,
             now_ns);
    dataplane->retry_ms = dataplane->retry_ms * 2 < DATAPLANE_RETRY_MAX_MS ? dataplane->retry_ms * 2
                                                                           : DATAPLANE_RETRY_MAX_MS;
}

/* One job more (1) or less (-1) of that worker's. */
static void dataplane_open_jobs(struct dataplane *dataplane, struct dataplane_worker *worker,
                                int more)
{
    worker->open += (uint32_t)more;
    dataplane->open += (uint32_t)more;
    atomic_store_explicit(worker->channel.busy, worker->open > 0, memory_order_relaxed);
    row_set(dataplane->row, CONTROL_COUNTER_IN_HAND, dataplane->open);
}

static unsigned dataplane_outcome(const struct relay_result *result)
{
    switch ((enum relay_outcome)result->outcome) {
    case RELAY_ANSWERED:
        if (result->code < 300)
            return CONTROL_COUNTER_DELIVERED;
        return result->code < 500 ? CONTROL_COUNTER_DEFERRED : CONTROL_COUNTER_REJECTED;
    case RELAY_UNREACHABLE:
        return CONTROL_COUNTER_UNREACHABLE;
    case RELAY_BROKEN:
        return CONTROL_COUNTER_BROKEN_OFF;
    case RELAY_REFUSED:
        break;
    }
    return CONTROL_COUNTER_REFUSED;
}

/* Each job is counted into one outcome, before its answer can be seen. */
static void dataplane_count_answer(struct dataplane *dataplane, const struct relay_result *result)
{
    row_add(dataplane->row, dataplane_outcome(result), 1);
    if (result->outcome == RELAY_ANSWERED)
        row_time(dataplane->row, (int64_t)result->transfer_us * CLOCK_NS_PER_US);
}

static void dataplane_queue_answer(struct dataplane_worker *worker, struct dataplane_answer *answer)
{
    answer->next = NULL;
    if (worker->last != NULL)
        worker->last->next = answer;
    else
        worker->first = answer;
    worker->last = answer;
}

/* In turn; a broken ring is found, and acted on, by the poll. */
static void dataplane_push_or_queue(struct dataplane_worker *worker,
                                    struct dataplane_answer *answer)
{
    if (worker->first == NULL && ring_push(&worker->channel.results, &answer->result) == STATUS_OK)
        free(answer);
    else
        dataplane_queue_answer(worker, answer);
}

static void dataplane_answer(void *context, uint32_t number, const struct relay_result *result)
{
    struct dataplane *dataplane = context;
    struct dataplane_worker *worker = &dataplane->workers[number];
    struct dataplane_answer *answer = worker->spare;

    CHECK(number < dataplane->worker_count && worker->open > 0 && answer != NULL);
    worker->spare = answer->next;
    dataplane_open_jobs(dataplane, worker, -1);
    dataplane_count_answer(dataplane, result);
    answer->result = *result;
    dataplane_push_or_queue(worker, answer);
}

/* Not for us, whatever it is: nothing is done with the message. */
static void dataplane_refuse(struct dataplane *dataplane, uint32_t number,
                             const struct relay_job *job)
{
    struct relay_result result;

    dataplane->refused++;
    transaction_result(&result, job, RELAY_REFUSED, 451, "4.3.0 Nothing is known of such a job");
    result.kind = JOB_RELAY;
    dataplane_answer(dataplane, number, &result);
}

bool dataplane_has_answers(const struct dataplane *dataplane)
{
    for (uint32_t i = 0; i < dataplane->worker_count; i++) {
        if (dataplane->workers[i].first != NULL)
            return true;
    }
    return false;
}

/* To every worker; one that has no memory for it goes on receiving, and we refuse. */
static void dataplane_tell_route(void *context, const char *customer, bool down)
{
    struct dataplane *dataplane = context;
    struct relay_result news = {.kind = JOB_ROUTE, .code = down};

    CHECK(dataplane->state == DATAPLANE_LINKED);
    (void)snprintf(news.text, sizeof(news.text), "%s", customer);
    for (uint32_t i = 0; i < dataplane->worker_count; i++) {
        struct dataplane_worker *worker = &dataplane->workers[i];
        struct dataplane_answer *answer = calloc(1, sizeof(*answer));

        if (answer == NULL)
            continue;
        answer->result = news;
        dataplane_push_or_queue(worker, answer);
    }
}

/* -- polling ----------------------------------------------------------------------------------- */

static enum status dataplane_push_answers(struct dataplane_worker *worker)
{
    while (worker->first != NULL) {
        struct dataplane_answer *answer = worker->first;
        enum status status = ring_push(&worker->channel.results, &answer->result);

        if (status == STATUS_NO_SPACE)
            return STATUS_OK;
        if (status != STATUS_OK)
            return status;
        worker->first = answer->next;
        if (worker->first == NULL)
            worker->last = NULL;
        free(answer);
    }
    return STATUS_OK;
}

/* Room for one more job's answer. */
static bool dataplane_reserve_answer(struct dataplane_worker *worker)
{
    struct dataplane_answer *answer = calloc(1, sizeof(*answer));

    if (answer == NULL)
        return false;
    answer->next = worker->spare;
    worker->spare = answer;
    return true;
}

static void dataplane_unreserve_answer(struct dataplane_worker *worker)
{
    struct dataplane_answer *answer = worker->spare;

    worker->spare = answer->next;
    free(answer);
}

static void dataplane_start_job(struct dataplane *dataplane, const struct relay_job *job,
                                uint32_t number, int64_t now_ns)
{
    struct source *source;
    enum status status = region_source_open(&source, dataplane->hold, job);

    if (status != STATUS_OK) {
        /* A stale message's worker ignores this; to any other it is the truth. */
        relay_refuse(&dataplane->owner, job, number, 451,
                     status == STATUS_NO_MEMORY ? "4.3.0 Out of memory"
                                                : "4.3.0 Message cannot be relayed now");
        return;
    }
    CHECK(job->message < dataplane->hold->region.header.message_count);
    relay_submit(dataplane->relay, &dataplane->owner, job, number, source,
                 &dataplane->messages[job->message], now_ns);
    source_give(source);
}

/* The room for its answer is there. */
static void dataplane_take(struct dataplane *dataplane, const struct relay_job *job,
                           uint32_t number, int64_t now_ns)
{
    struct dataplane_worker *worker = &dataplane->workers[number];

    row_add(dataplane->row, CONTROL_COUNTER_JOBS, 1);
    dataplane_open_jobs(dataplane, worker, 1);
    if (job->kind != JOB_RELAY || worker->open > dataplane->owner.places)
        dataplane_refuse(dataplane, number, job);
    else
        dataplane_start_job(dataplane, job, number, now_ns);
}

/* What was answered meanwhile is not found, and that is that. */
static void dataplane_withdraw(struct dataplane *dataplane, const struct relay_job *job,
                               uint32_t number, int64_t now_ns)
{
    struct transaction *transaction =
        job->message < dataplane->owner.places ? dataplane->messages[job->message] : NULL;

    if (transaction != NULL && transaction->job.job == job->job && transaction->worker == number)
        relay_withdraw(transaction, now_ns);
}

static enum status dataplane_take_jobs(struct dataplane *dataplane, uint32_t number, bool *any,
                                       int64_t now_ns)
{
    struct dataplane_worker *worker = &dataplane->workers[number];

    for (unsigned n = 0; n < DATAPLANE_JOBS_PER_POLL; n++) {
        struct relay_job job;
        enum status status;

        if (worker->first != NULL || !dataplane_reserve_answer(worker))
            return STATUS_OK;
        status = ring_pop(&worker->channel.jobs, &job);
        if (status != STATUS_OK || job.kind == JOB_WITHDRAW)
            dataplane_unreserve_answer(worker);
        if (status == STATUS_AGAIN)
            return STATUS_OK;
        if (status != STATUS_OK)
            return status;
        *any = true;
        if (job.kind == JOB_WITHDRAW)
            dataplane_withdraw(dataplane, &job, number, now_ns);
        else
            dataplane_take(dataplane, &job, number, now_ns);
    }
    return STATUS_OK;
}

static void dataplane_polled(void *context, int64_t now_ns)
{
    struct dataplane *dataplane = context;
    bool busy = false;

    for (uint32_t i = 0; i < dataplane->worker_count; i++) {
        struct dataplane_worker *worker = &dataplane->workers[i];
        enum status status = dataplane_push_answers(worker);

        if (status == STATUS_OK)
            status = dataplane_take_jobs(dataplane, i, &busy, now_ns);
        if (status != STATUS_OK) {
            dataplane_lose(dataplane, status_text(status), now_ns);
            return;
        }
        busy = busy || worker->open > 0 || worker->first != NULL;
    }
    if (busy)
        dataplane->poll_us = DATAPLANE_POLL_BUSY_US;
    else if (dataplane->poll_us < DATAPLANE_POLL_IDLE_US)
        dataplane->poll_us = dataplane->poll_us * 2 < DATAPLANE_POLL_IDLE_US
                                 ? dataplane->poll_us * 2
                                 : DATAPLANE_POLL_IDLE_US;
    loop_set(dataplane->loop, &dataplane->poll, now_ns + dataplane->poll_us * CLOCK_NS_PER_US,
             now_ns);
}

/* -- link -------------------------------------------------------------------------------------- */

static enum status dataplane_welcome(struct dataplane *dataplane,
                                     const struct link_message *message, int fd)
{
    enum status status;

    if (dataplane->state != DATAPLANE_GREETED || fd < 0) {
        if (fd >= 0)
            close(fd);
        return STATUS_BROKEN_PEER;
    }
    status = region_hold_open(&dataplane->hold, fd);
    if (status != STATUS_OK)
        return status;
    if (message->workers < 1 || message->workers > REGION_WORKERS_MAX ||
        message->workers != dataplane->hold->region.header.worker_count)
        return STATUS_BROKEN_PEER;
    dataplane->owner.places = dataplane->hold->region.header.message_count;
    dataplane->messages = calloc(dataplane->owner.places, sizeof(struct transaction *));
    if (dataplane->messages == NULL)
        return STATUS_NO_MEMORY;
    dataplane->worker_count = message->workers;
    dataplane->state = DATAPLANE_WELCOME;
    return STATUS_OK;
}

static enum status dataplane_channel(struct dataplane *dataplane,
                                     const struct link_message *message, int fd, int64_t now_ns)
{
    struct link_message ready = {.type = LINK_READY,
                                 .slot = message->slot,
                                 .epoch = message->epoch,
                                 .text = "postern-control " POSTERN_VERSION};
    enum status status;

    if (dataplane->state < DATAPLANE_WELCOME || fd < 0) {
        if (fd >= 0)
            close(fd);
        return STATUS_BROKEN_PEER;
    }
    dataplane_drop_channels(dataplane, now_ns);
    status = channel_memory_open(&dataplane->memory, CHANNEL_CONTROL, dataplane->worker_count, fd);
    if (status != STATUS_OK)
        return status;
    dataplane->has_channels = true;
    dataplane->row = channel_row(&dataplane->memory);
    relay_count(dataplane->relay, dataplane->row);
    dataplane->epoch = message->epoch;
    for (uint32_t i = 0; i < dataplane->worker_count; i++)
        channel_attach(&dataplane->workers[i].channel, &dataplane->memory, i);
    status = link_send(dataplane->socket, &ready, -1);
    if (status != STATUS_OK)
        return status;
    if (dataplane->state != DATAPLANE_LINKED)
        notice("linked to the dataplane, workers: %u", dataplane->worker_count);
    dataplane->state = DATAPLANE_LINKED;
    dataplane->retry_ms = DATAPLANE_RETRY_MIN_MS;
    dataplane->waiting_told = false;
    relay_hear(dataplane->relay, dataplane_tell_route, dataplane);
    dataplane->poll_us = DATAPLANE_POLL_BUSY_US;
    loop_set(dataplane->loop, &dataplane->poll, now_ns, now_ns);
    return STATUS_OK;
}

static enum status dataplane_hear(struct dataplane *dataplane, const struct link_message *message,
                                  int fd, int64_t now_ns)
{
    switch (message->type) {
    case LINK_WELCOME:
        return dataplane_welcome(dataplane, message, fd);
    case LINK_CHANNEL:
        return dataplane_channel(dataplane, message, fd, now_ns);
    default:
        /* KILL is for scanners; what a newer dataplane may say beyond that is not for us. */
        if (fd >= 0)
            close(fd);
        return STATUS_OK;
    }
}

static void dataplane_readable(evutil_socket_t socket, short events, void *context)
{
    struct dataplane *dataplane = context;
    int64_t now_ns = loop_now_ns(dataplane->loop);

    (void)events;
    for (;;) {
        struct link_message message;
        int fd;
        enum status status = link_receive(socket, &message, &fd);

        if (status == STATUS_AGAIN)
            return;
        if (status == STATUS_OK)
            status = dataplane_hear(dataplane, &message, fd, now_ns);
        if (status != STATUS_OK) {
            dataplane_lose(dataplane, status_text(status), now_ns);
            return;
        }
    }
}

static void dataplane_connect(struct dataplane *dataplane, int64_t now_ns)
{
    struct link_message hello = {.type = LINK_HELLO, .kind = LINK_KIND_CONTROL, .slots = 1};
    enum status status = link_connect(dataplane->path, &dataplane->socket);

    if (status != STATUS_OK) {
        if (!dataplane->waiting_told)
            notice("waiting for the dataplane at %s: %s", dataplane->path, status_text(status));
        dataplane->waiting_told = true;
        dataplane->socket = -1;
        dataplane_lose(dataplane, status_text(status), now_ns);
        return;
    }
    dataplane->state = DATAPLANE_GREETED;
    dataplane->readable = event_new(dataplane->loop->base, dataplane->socket, EV_READ | EV_PERSIST,
                                    dataplane_readable, dataplane);
    status = dataplane->readable != NULL && event_add(dataplane->readable, NULL) == 0
                 ? link_send(dataplane->socket, &hello, -1)
                 : STATUS_NO_MEMORY;
    if (status != STATUS_OK)
        dataplane_lose(dataplane, status_text(status), now_ns);
}

static void dataplane_retry(void *context, int64_t now_ns)
{
    dataplane_connect(context, now_ns);
}

enum status dataplane_create(struct dataplane **dataplane, struct loop *loop, struct relay *relay,
                             const char *runtime_directory)
{
    struct dataplane *made = calloc(1, sizeof(*made));
    int length;

    *dataplane = NULL;
    if (made == NULL)
        return STATUS_NO_MEMORY;
    made->loop = loop;
    made->relay = relay;
    made->owner = (struct transaction_owner){.done = dataplane_answer, .context = made};
    made->socket = -1;
    made->retry_ms = DATAPLANE_RETRY_MIN_MS;
    timer_init(&made->retry, dataplane_retry, made);
    timer_init(&made->poll, dataplane_polled, made);
    length = snprintf(made->path, sizeof(made->path), "%s/dataplane.sock", runtime_directory);
    if (length < 0 || (size_t)length >= sizeof(made->path)) {
        dataplane_free(made);
        return STATUS_BAD_ARGUMENT;
    }
    dataplane_connect(made, loop_now_ns(loop));
    *dataplane = made;
    return STATUS_OK;
}

void dataplane_free(struct dataplane *dataplane)
{
    if (dataplane == NULL)
        return;
    dataplane_drop_channels(dataplane, loop_now_ns(dataplane->loop));
    dataplane_drop_region(dataplane);
    loop_clear(dataplane->loop, &dataplane->retry);
    if (dataplane->readable != NULL)
        event_free(dataplane->readable);
    if (dataplane->socket >= 0)
        close(dataplane->socket);
    free(dataplane);
}
