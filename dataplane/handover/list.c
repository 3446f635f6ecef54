/* Messages in the order they came in, linked through themselves. See station.h. */
#include "dataplane/handover/station.h"
#include "platform/check.h"

static void list_check_alone(const struct message_list *list, const struct message *message)
{
    CHECK(message->next == NULL && message->previous == NULL && list->first != message);
}

void message_list_append(struct message_list *list, struct message *message)
{
    list_check_alone(list, message);
    message->previous = list->last;
    if (list->last != NULL)
        list->last->next = message;
    else
        list->first = message;
    list->last = message;
    list->count++;
}

void message_list_insert(struct message_list *list, struct message *message, struct message *next)
{
    if (next == NULL) {
        message_list_append(list, message);
        return;
    }
    list_check_alone(list, message);
    message->next = next;
    message->previous = next->previous;
    if (next->previous != NULL)
        next->previous->next = message;
    else
        list->first = message;
    next->previous = message;
    list->count++;
}

void message_list_remove(struct message_list *list, struct message *message)
{
    CHECK(list->count > 0);
    CHECK(message->previous != NULL ? message->previous->next == message : list->first == message);
    CHECK(message->next != NULL ? message->next->previous == message : list->last == message);
    if (message->previous != NULL)
        message->previous->next = message->next;
    else
        list->first = message->next;
    if (message->next != NULL)
        message->next->previous = message->previous;
    else
        list->last = message->previous;
    message->next = NULL;
    message->previous = NULL;
    list->count--;
}
