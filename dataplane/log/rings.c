#include "dataplane/log/rings.h"

#include <string.h>

size_t log_rings_bytes(void)
{
    return ring_bytes(LOG_MAIL_RECORDS, sizeof(struct log_record)) +
           ring_bytes(LOG_REJECT_RECORDS, sizeof(struct log_record));
}

static void *rings_attach(struct ring *ring, void *memory, uint32_t records)
{
    memset(memory, 0, sizeof(struct ring_shared));
    ring_attach(ring, memory, records, sizeof(struct log_record));
    return (uint8_t *)memory + ring_bytes(records, sizeof(struct log_record));
}

void log_rings_attach(struct log_rings *rings, void *memory)
{
    memory = rings_attach(&rings->mail, memory, LOG_MAIL_RECORDS);
    (void)rings_attach(&rings->rejects, memory, LOG_REJECT_RECORDS);
}

enum status log_rings_push(struct log_rings *rings, const struct log_record *record)
{
    switch ((enum log_kind)record->kind) {
    case LOG_REJECT:
        return ring_push(&rings->rejects, record);
    case LOG_RECIPIENTS:
        return ring_push_reserving(&rings->mail, record, LOG_MAIL_RECORDS / 2);
    case LOG_MESSAGE:
        break;
    }
    return ring_push(&rings->mail, record);
}
