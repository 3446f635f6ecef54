#include "control/relay/transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

/* An address as it stands between angle brackets: printable ASCII (we do not offer SMTPUTF8). */
static bool address_fit(const char *address, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)address[i] < ' ' || (unsigned char)address[i] > '~')
            return false;
    }
    return true;
}

static enum status transaction_field(const struct transaction *transaction, size_t *position,
                                     enum envelope_field *field, const char **value, size_t *length)
{
    return transaction->source->kind->field(transaction->source, position, field, value, length);
}

static char *envelope_copy(char **at, const char *end, const char *value, size_t length)
{
    char *copy = *at;

    if (length + 1 > (size_t)(end - copy))
        return NULL;
    memcpy(copy, value, length);
    copy[length] = '\0';
    *at += length + 1;
    return address_fit(copy, length) ? copy : NULL;
}

/* Memory for what the envelope holds now. Should the shared memory say more a moment later, the
 * copying finds no room and stops. */
static enum status transaction_measure_envelope(struct transaction *transaction)
{
    size_t position = 0;
    size_t bytes = 0;
    unsigned recipients = 0;
    enum envelope_field field;
    const char *value;
    size_t length;

    while (transaction_field(transaction, &position, &field, &value, &length) == STATUS_OK) {
        if (field == ENVELOPE_RECIPIENT)
            recipients++;
        if (field == ENVELOPE_RECIPIENT || field == ENVELOPE_SENDER)
            bytes += length + 1;
    }
    transaction->recipient_room = recipients;
    transaction->envelope_bytes = bytes;
    transaction->envelope = malloc(bytes + 1);
    transaction->recipients = calloc(recipients + 1, sizeof(*transaction->recipients));
    return transaction->envelope != NULL && transaction->recipients != NULL ? STATUS_OK
                                                                            : STATUS_NO_MEMORY;
}

static enum status transaction_read_envelope(struct transaction *transaction)
{
    char *at = transaction->envelope;
    const char *end = at + transaction->envelope_bytes;
    size_t position = 0;
    enum envelope_field field;
    const char *value;
    size_t length;
    enum status status;

    for (;;) {
        status = transaction_field(transaction, &position, &field, &value, &length);
        if (status != STATUS_OK)
            break;
        if (field == ENVELOPE_SENDER && transaction->sender == NULL) {
            transaction->sender = envelope_copy(&at, end, value, length);
            if (transaction->sender == NULL)
                return STATUS_BAD_FORMAT;
        } else if (field == ENVELOPE_RECIPIENT) {
            const char *copy = envelope_copy(&at, end, value, length);

            if (copy == NULL || transaction->recipient_count == transaction->recipient_room)
                return STATUS_BAD_FORMAT;
            transaction->recipients[transaction->recipient_count++] = copy;
        }
    }
    if (status != STATUS_NOT_FOUND || transaction->sender == NULL ||
        transaction->recipient_count == 0)
        return STATUS_BAD_FORMAT;
    return STATUS_OK;
}

/* "unscannable(reason)" -> "Unscanned (reason)"; the two halves must agree with the job. */
static enum status transaction_virus_status(const struct transaction *transaction, char *to,
                                            size_t size)
{
    static const char prefix[] = "unscannable(";
    char verdict[128] = "";
    size_t length;

    (void)source_string(transaction->source, ENVELOPE_VERDICT, verdict, sizeof(verdict));
    if (transaction->job.verdict == VERDICT_CLEAN && strcmp(verdict, "clean") == 0) {
        (void)snprintf(to, size, "Clean");
        return STATUS_OK;
    }
    length = strlen(verdict);
    if (transaction->job.verdict != VERDICT_UNSCANNABLE || length < sizeof(prefix) ||
        strncmp(verdict, prefix, sizeof(prefix) - 1) != 0 || verdict[length - 1] != ')')
        return STATUS_BAD_FORMAT;
    verdict[length - 1] = '\0';
    (void)snprintf(to, size, "Unscanned (%s)", verdict + sizeof(prefix) - 1);
    return STATUS_OK;
}

/* A field's value never leaves its line. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
            *text = '?';
    }
}

static enum status transaction_make_fields(struct transaction *transaction, const char *hostname)
{
    char engine[160] = "";
    char status_value[192];
    enum status status = transaction_virus_status(transaction, status_value, sizeof(status_value));
    int length;

    if (status != STATUS_OK)
        return status;
    (void)source_string(transaction->source, ENVELOPE_ENGINE, engine, sizeof(engine));
    make_printable(engine);
    make_printable(status_value);
    length = snprintf(transaction->fields, sizeof(transaction->fields),
                      "X-Virus-Scanned: postern " POSTERN_VERSION "%s%s%s at %s\r\n"
                      "X-Virus-Status: %s\r\n",
                      engine[0] != '\0' ? " (" : "", engine, engine[0] != '\0' ? ")" : "", hostname,
                      status_value);
    CHECK(length > 0 && (size_t)length < sizeof(transaction->fields));
    return STATUS_OK;
}

static enum status transaction_fill(struct transaction *transaction, const char *hostname)
{
    enum status status = transaction_measure_envelope(transaction);

    if (status == STATUS_OK)
        status = transaction_read_envelope(transaction);
    if (status == STATUS_OK)
        status = transaction_make_fields(transaction, hostname);
    (void)source_string(transaction->source, ENVELOPE_CUSTOMER, transaction->customer,
                        sizeof(transaction->customer));
    if (status == STATUS_OK && !transaction_current(transaction))
        status = STATUS_STALE;
    return status;
}

static void transaction_set_times(struct transaction *transaction, int64_t now_ns)
{
    int64_t left_ns;

    transaction->deadline_ns = INT64_MAX;
    transaction->dot_ns = INT64_MAX;
    if (transaction->job.deadline_ns == 0)
        return;
    transaction->deadline_ns = transaction->job.deadline_ns - TRANSACTION_MARGIN_NS;
    left_ns = transaction->deadline_ns > now_ns ? transaction->deadline_ns - now_ns : 0;
    transaction->dot_ns = transaction->deadline_ns - left_ns / TRANSACTION_ANSWER_SHARE;
    CHECK(transaction->dot_ns <= transaction->deadline_ns);
}

enum status transaction_open(struct transaction **transaction,
                             const struct transaction_owner *owner, const struct relay_job *job,
                             uint32_t worker, struct source *source, const char *hostname,
                             int64_t now_ns)
{
    struct transaction *made = calloc(1, sizeof(*made));
    enum status status;

    *transaction = NULL;
    if (made == NULL)
        return STATUS_NO_MEMORY;
    made->owner = owner;
    made->job = *job;
    made->worker = worker;
    made->source = source_take(source);
    transaction_set_times(made, now_ns);
    status = transaction_fill(made, hostname);
    if (status != STATUS_OK) {
        transaction_free(made);
        return status;
    }
    CHECK(made->recipient_count > 0 && made->sender != NULL);
    *transaction = made;
    return STATUS_OK;
}

uint64_t transaction_size(const struct transaction *transaction)
{
    return (uint64_t)transaction->source->size + strlen(transaction->fields);
}

bool transaction_current(const struct transaction *transaction)
{
    /* What was read before must not be read after the generation. */
    atomic_thread_fence(memory_order_acquire);
    return transaction->source->kind->current(transaction->source);
}

void transaction_result(struct relay_result *result, const struct relay_job *job,
                        enum relay_outcome outcome, unsigned code, const char *text)
{
    *result = (struct relay_result){
        .job = job->job,
        .message = job->message,
        .generation = job->generation,
        .outcome = outcome,
        .code = code,
        .kind = job->kind,
    };
    (void)snprintf(result->text, sizeof(result->text), "%s", text);
}

void transaction_answer(struct transaction *transaction, const struct relay_result *result)
{
    CHECK(result->job == transaction->job.job);
    CHECK(transaction->next == NULL && transaction->previous == NULL);
    transaction->owner->done(transaction->owner->context, transaction->worker, result);
    transaction_free(transaction);
}

void transaction_free(struct transaction *transaction)
{
    CHECK(transaction->next == NULL && transaction->previous == NULL);
    CHECK(transaction->dialogue == NULL);
    if (transaction->place != NULL)
        *transaction->place = NULL;
    source_give(transaction->source);
    free(transaction->recipients);
    free(transaction->envelope);
    free(transaction);
}

void transaction_list_add(struct transaction_list *list, struct transaction *transaction)
{
    CHECK(transaction->next == NULL && transaction->previous == NULL);
    transaction->previous = list->last;
    if (list->last != NULL)
        list->last->next = transaction;
    else
        list->first = transaction;
    list->last = transaction;
    list->count++;
}

void transaction_list_put_back(struct transaction_list *list, struct transaction *transaction)
{
    transaction->previous = NULL;
    transaction->next = list->first;
    if (list->first != NULL)
        list->first->previous = transaction;
    else
        list->last = transaction;
    list->first = transaction;
    list->count++;
    CHECK((list->first == list->last) == (list->count == 1));
}

void transaction_list_remove(struct transaction_list *list, struct transaction *transaction)
{
    CHECK(list->count > 0);
    if (transaction->previous != NULL)
        transaction->previous->next = transaction->next;
    else
        list->first = transaction->next;
    if (transaction->next != NULL)
        transaction->next->previous = transaction->previous;
    else
        list->last = transaction->previous;
    transaction->next = NULL;
    transaction->previous = NULL;
    list->count--;
    CHECK((list->first == NULL) == (list->count == 0));
}
